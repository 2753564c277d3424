"""Pages over a store on S3: its rows, rows of a training set, hand labels, a bundle."""

from starlette.testclient import TestClient

from flows.view.annotation import Annotator
from flows.view.app import make_app
from flows.view.bundle import write_bundle
from flows.view.guard import Access
from flows.view.site import Site
from schemas.rows import StepLabel
from storage.viewing import LiveCatalog


def test_pages_of_a_store_on_s3(s3_store, unit_of, make_problem, make_trajectory, tmp_path):
    problem = make_problem("p0", question="2 + 2 is what?")
    s3_store.commit(unit_of("problems", name="eval", stage="problems"), [problem])
    rows = [make_trajectory(f"t{n}", sample_index=n, correct=n > 0) for n in range(3)]
    s3_store.commit(unit_of("trajectories", name="eval.00000"), rows)
    annotator = Annotator("Ada")
    catalog = LiveCatalog(s3_store.url, look_every_s=1e9)
    app = make_app(catalog, Site(s3_store.url, annotator), Access("127.0.0.1", 8400))
    client = TestClient(app, base_url="http://127.0.0.1:8400", follow_redirects=False)
    key = {"run": "run", "id": "t0"}
    for path, expected in {
        "/": "run", "/run?run=run": "sampling", "/problems?run=run": "2 of 3",
        "/solutions?run=run&text=ANSWER": "id=t2", "/problem?run=run&id=p0": "2 + 2 is what?",
        "/solution?run=run&id=t0": "✗", "/sql?statement=select+count(*)+from+trajectories": "3",
    }.items():  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert expected in answer.text
    answer = client.post(
        "/mark-steps",
        data={**key, "token": annotator.token, "step-1": "wrong"},
        headers={"origin": "http://127.0.0.1:8400"},
    )
    assert answer.status_code == 303
    (label,) = s3_store.read(
        "step_labels/run_id=run/stage=step_labels/eval.00000-000-human.parquet"
    )
    assert isinstance(label, StepLabel)
    assert (label.trajectory_id, label.step_index, label.hard) == ("t0", 1, False)
    assert 'value="wrong" checked' in client.get("/solution", params=key).text
    num_pages = write_bundle(s3_store.url, tmp_path / "bundle", "run", 1)
    assert len(list((tmp_path / "bundle").glob("*.html"))) == num_pages
