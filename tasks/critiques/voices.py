"""What stands in a chain for a line of a critique: the critic's words, or the first person."""

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import CritiqueStep
from schemas.self_talk import SelfTalkJob, WorldVoiceConfig
from tasks.critiques.chains import Say, Words
from tasks.world import voice
from tasks.world.reviews import parse_review


def choose_voice(job: SelfTalkJob) -> tuple[Say, Words]:
    """How a job says a line of a critique, and the verdict on a whole attempt."""
    if isinstance(job.voice, WorldVoiceConfig):
        return say_in_world, Words(voice.AT_EASE, voice.IN_DOUBT, voice.RETRY)
    return quote, _words_of(job.format)


def quote(line: CritiqueStep) -> str:
    """The critic's own words."""
    return line.text


def say_in_world(line: CritiqueStep) -> str:
    """A line of a review of the built-in world in the first person.

    Raises:
        ValueError: it is no such line.
    """
    (read, *others) = parse_review(line.text, 1).lines or (None,)
    if read is None or others:
        raise ValueError(f"expected a line of a review of the built-in world, got {line.text!r}")
    return voice.say(read)


def _words_of(config: CritiqueFormatConfig) -> Words:
    if config.type == "lines":
        return Words("Review: right", "Review: wrong", "Again:")
    return Words("Conclusion: correct", "Conclusion: wrong", "")
