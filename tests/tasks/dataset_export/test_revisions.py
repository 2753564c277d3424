from schemas.dataset_export.builders import RevisionChainsConfig


def test_prompts_are_those_that_the_search_writes(fill, build):
    question = "What does {attempts} stand for?"
    fill(
        {"p0": {"question": question}},
        [("t0", "p0", "So\nAnswer: 4", True), ("t1", "p0", "So\nAnswer: 5", False)],
    )
    prompts = {build({"type": "revisions"}, seed=seed)[0][0]["prompt"] for seed in range(8)}
    template = RevisionChainsConfig().template
    assert template.startswith("{question}\n")
    after = template.removeprefix("{question}").replace("{attempts}", "So\nAnswer: 5")
    assert prompts == {
        f"{question}\n",
        f"{question}{after}\n",
    }
