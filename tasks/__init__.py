"""The work of each stage, the engines, the graders and the verifiers."""
