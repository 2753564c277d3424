"""The names of the units of self-talk: what changes them, and what does not."""

import shutil

from flows.self_talk import rounds_digest, talks_digest
from schemas.engines import SHIPPED_POLICY
from schemas.self_talk import SelfTalkJob
from tasks.models.folders import resolve_model


def test_a_talk_is_named_by_what_its_annotator_is_and_not_where(tmp_path):
    here = resolve_model(SHIPPED_POLICY)
    there = shutil.copytree(here, tmp_path / here.name)

    def job(**voice):
        return SelfTalkJob.from_partial({"voice": {"type": "model", **voice}})

    jobs = {
        "none": SelfTalkJob(),
        "policy": job(),
        "here": job(engine={"type": "vllm", "model": str(here)}),
        "there": job(engine={"type": "vllm", "model": str(there)}),
        "asked otherwise": job(template="{question} {chain}"),
        "hotter": job(rewriting={"temperature": 1.0}),
    }
    digests = {name: talks_digest(each) for name, each in jobs.items()}
    assert digests["here"] == digests["there"]
    assert len(set(digests.values())) == len(jobs) - 1
    assert len({rounds_digest(each) for each in jobs.values()}) == 1
