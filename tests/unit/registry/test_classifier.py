"""The classifier: a version in, answers out."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mskmodel.dicom.reading import read_image
from mskmodel.labels import BY_KEY, KEYS, SEVERAL_VIEWS
from mskmodel.network.outputs import collapsed
from mskmodel.registry import MANIFEST, SHIPPED, WEIGHTS, NotANumber, Registry, RegistryError
from mskmodel.registry.classifier import Classifier, choose_device
from mskmodel.registry.decision import LOW_CONFIDENCE, MORE_VIEWS, NO_NUMBER, UNLIKE, Classification, Decision
from tests.drawn_pictures import a_radiograph
from tests.model_versions import harm_weights, register_saying


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load(SHIPPED, "cpu")


def with_looks(directory: Path, looks: int) -> Classifier:
    """The shipped version as if it had been made for so many looks."""
    shutil.copytree(SHIPPED, directory)
    path = directory / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"architecture": manifest["architecture"] | {"looks": looks}}))
    return Classifier.load(directory, "cpu")


def test_left_and_right_get_the_same_answer_of_two_looks(tmp_path: Path) -> None:
    two = with_looks(tmp_path / "version", 2)
    image = two.prepare(a_radiograph(500, 400))

    np.testing.assert_allclose(two.logits(image[None]), two.logits(image[None, :, :, ::-1].copy()), atol=1e-4)


def test_the_shipped_version_is_small_and_knows_the_classes(shipped: Classifier) -> None:
    assert shipped.classes[: len(KEYS)] == KEYS
    assert {*shipped.classes, *shipped.others} <= set(BY_KEY)
    assert SEVERAL_VIEWS in shipped.others
    assert shipped.version == json.loads((SHIPPED / MANIFEST).read_text())["version"]
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 15_000_000


def test_a_batch_gives_what_each_gives_alone(shipped: Classifier) -> None:
    prepared = [shipped.prepare(a_radiograph(400 + 50 * n, 380, seed=n)) for n in range(5)]

    together = shipped.classify(prepared)
    alone = [shipped.classify([one])[0] for one in prepared]

    assert [a.label for a in together] == [a.label for a in alone]
    for a, b in zip(together, alone, strict=True):
        assert [key for key, _ in a.top5] == [key for key, _ in b.top5]
        np.testing.assert_allclose([p for _, p in a.top5], [p for _, p in b.top5], atol=1e-4)
    assert shipped.classify([]) == []


def test_an_answer_is_five_classes_in_order_of_their_probability(shipped: Classifier) -> None:
    answer = shipped.classify([shipped.prepare(a_radiograph(500, 400))])[0]

    probabilities = [p for _, p in answer.top5]
    assert len({key for key, _ in answer.top5} & set(shipped.classes)) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert answer.confidence == probabilities[0]
    assert 0 <= sum(probabilities) <= 1 + 1e-6
    assert (answer.label is None) == (answer.reason is not None)


@pytest.mark.parametrize(
    ("logits", "label", "reason"),
    [
        ([9.0, 0.0, 0.0, 0.0], "a", None),
        ([1.0, 0.9, 0.8, 0.0], None, LOW_CONFIDENCE),
        ([0.0, 0.0, 0.0, 5.0], None, UNLIKE),
        ([5.0, 0.0, 0.0, 5.0], None, UNLIKE),
    ],
)
def test_it_abstains_when_unsure_and_when_it_looks_like_no_class(
    logits: list[float], label: str | None, reason: str | None
) -> None:
    decision = Decision(temperature=1.0, threshold=0.6)

    answer = decision.decide(decision.probabilities(np.array([logits], np.float32))[0], ("a", "b", "c"))

    assert (answer.label, answer.reason) == (label, reason)


@pytest.mark.parametrize(
    ("outputs", "label", "reason"),
    [
        ([5.0, 0.0, 0.0, 0.0, 0.0], "a", None),
        ([0.0, 0.0, 0.0, 5.0, 0.0], None, UNLIKE),
        ([0.0, 0.0, 5.0, 0.0, 0.0], None, MORE_VIEWS),
        ([0.0, 2.0, 1.9, 1.9, 0.0], None, UNLIKE),
        ([0.0, 2.0, 2.1, 1.9, 0.0], None, MORE_VIEWS),
        ([0.0, 2.0, 2.1, 2.2, 0.0], None, UNLIKE),
    ],
)
def test_several_views_on_a_film_are_a_reason_where_that_is_the_likeliest_answer(
    outputs: list[float], label: str | None, reason: str | None
) -> None:
    answer = Decision().answer(np.array(outputs, np.float32), ("a", "b"), ("several_views", "wrist"))

    assert (answer.label, answer.reason) == (label, reason)


def test_the_kinds_of_none_share_its_calibrated_probability_as_the_network_says() -> None:
    decision = Decision(temperature=2.0, none_slope=0.5, none_shift=1.0)
    outputs = np.random.default_rng(0).normal(0, 3, (20, 6)).astype(np.float32)

    every = decision.with_kinds(outputs, 3)

    probabilities = decision.probabilities(collapsed(outputs, 3))
    np.testing.assert_array_equal(every[:, :3], probabilities[:, :3])
    np.testing.assert_allclose(every[:, 3:].sum(axis=1), probabilities[:, 3])
    shares = np.exp(outputs[:, 3:].astype(np.float64))
    np.testing.assert_allclose(every[:, 3:] / probabilities[:, 3:], shares / shares.sum(axis=1, keepdims=True))
    answer = decision.answer(outputs[0], ("a", "b", "c"), ("wrist", "chest"))
    assert [key for key, _ in answer.kinds] == ["wrist", "chest"]
    np.testing.assert_allclose([p for _, p in answer.kinds], every[0, 3:5])
    assert len(answer.probabilities) == 4


@pytest.mark.parametrize(
    "name", ["RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG3_UNCR.dcm", "RG3_J2KR.dcm"], ids=lambda name: name.split(".")[0]
)
def test_a_real_chest_and_a_real_lower_leg_are_left_to_a_person(shipped: Classifier, name: str) -> None:
    data = pytest.importorskip("pydicom.data")

    answer = shipped.classify([shipped.prepare(read_image(Path(data.get_testdata_file(name))))])[0]

    assert answer.label is None


def test_a_damaged_version_is_refused_by_name(tmp_path: Path) -> None:
    for damage in (MANIFEST, WEIGHTS):
        broken = tmp_path / damage
        shutil.copytree(SHIPPED, broken)
        (broken / damage).write_bytes((broken / damage).read_bytes()[:100])

        with pytest.raises(RegistryError, match=damage.split(".")[0]):
            Classifier.load(broken, "cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "meta", "gpu0"])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        choose_device(name)


def test_loading_takes_less_than_a_second_after_the_imports() -> None:
    program = (
        "import time; from mskmodel.registry.classifier import Classifier\n"
        "from mskmodel.registry.registry import SHIPPED\n"
        "began = time.process_time(); Classifier.load(SHIPPED, 'cpu'); print(time.process_time() - began)"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert float(output) < 1.0


@pytest.mark.parametrize("harm", ["NaN", "infinite", "too large"])
def test_weights_that_lead_to_no_number_are_refused_before_they_answer(tmp_path: Path, harm: str) -> None:
    registry = Registry(tmp_path)
    name = register_saying(registry, "knee_ap")
    harm_weights(registry.find(name), harm)

    with pytest.raises(RegistryError, match=name):
        Classifier.load(registry.find(name), "cpu")


@pytest.mark.parametrize(
    "decision",
    [
        {"temperature": float("nan")},
        {"temperature": 0},
        {"temperature": 5e-324},
        {"threshold": float("inf")},
        {"none_slope": "1"},
        {"none_shift": None},
        {"none_shift": True},
    ],
)
def test_a_decision_that_is_not_made_of_numbers_is_refused(tmp_path: Path, decision: dict[str, object]) -> None:
    shutil.copytree(SHIPPED, tmp_path / "version")
    path = tmp_path / "version" / MANIFEST
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"decision": manifest["decision"] | decision}))

    with pytest.raises(RegistryError, match="version"):
        Classifier.load(tmp_path / "version", "cpu")


def test_a_version_with_fewer_outputs_than_classes_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "version")
    path = tmp_path / "version" / MANIFEST
    classes = [f"class-{number}" for number in range(40)]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"classes": classes, "others": []}))

    with pytest.raises(RegistryError, match="40 outputs do not fit 40 classes and none of them"):
        Classifier.load(tmp_path / "version", "cpu")


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"others": ["chest", "skull"]}, "40 outputs do not fit 19 classes, 2 other kinds and none of them"),
        ({"classes": [f"class-{n}" for n in range(38)], "others": ["class-0"]}, "a key is named twice"),
    ],
)
def test_a_version_whose_other_kinds_do_not_fit_is_refused(
    tmp_path: Path, named: dict[str, object], reason: str
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "version")
    path = tmp_path / "version" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | named))

    with pytest.raises(RegistryError, match=reason):
        Classifier.load(tmp_path / "version", "cpu")


def test_an_answer_that_is_no_number_is_left_to_a_person_and_its_neighbours_are_labelled(shipped: Classifier) -> None:
    sound = shipped.prepare(a_radiograph(500, 400))
    broken = np.full_like(sound, np.nan)

    before, none, after = shipped.classify([sound, broken, sound])

    assert none == Classification(None, (), 0.0, NO_NUMBER)
    assert [key for key, _ in before.top5] == [key for key, _ in after.top5]
    assert np.isfinite([probability for _, probability in before.top5 + after.top5]).all()
    with pytest.raises(NotANumber):
        shipped.decision.probabilities(shipped.logits(np.stack([sound, broken])))


def test_a_version_of_one_look_answers_to_the_picture_alone(tmp_path: Path) -> None:
    once, twice = (with_looks(tmp_path / str(looks), looks) for looks in (1, 2))
    image = once.prepare(a_radiograph(500, 400))[None]

    mirrored = once.outputs(image[:, :, :, ::-1].copy())

    np.testing.assert_allclose((once.outputs(image) + mirrored) / 2, twice.outputs(image), atol=1e-4)
    assert np.abs(once.outputs(image) - mirrored).max() > 0.01
