import hashlib
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmark.data import official
from benchmark.data.official import Archive, obtain
from benchmark.data.store import fingerprint
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings


def settings(path: Path) -> DatasetSettings:
    return DatasetSettings(source="official", path=str(path.parent))


def test_addresses_and_checksums_are_torchvisions():
    from torchvision.datasets import CIFAR10, CIFAR100

    for name, theirs in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        ours = official.ARCHIVES[name]
        assert (ours.file, ours.url, ours.md5) == (theirs.filename, theirs.url, theirs.tgz_md5)


@pytest.mark.parametrize(("name", "batches", "last"), [("cifar10", 5, "truck"), ("cifar100", 1, "aquarium_fish")])
def test_cifar_batches_become_images_in_order(published, name, batches, last):
    arrays = official.read(name, settings(published(name)))
    assert arrays.train_images.shape == (4 * batches, 32, 32, 3) and arrays.test_images.shape == (4, 32, 32, 3)
    expected = np.repeat(np.arange(1, batches + 1), 4)[:, None] * [1, 10, 20]
    assert (arrays.train_images == expected[:, None, None, :]).all()
    assert (arrays.test_images == np.array([1, 10, 20]) * (batches + 1)).all()
    assert arrays.train_labels.tolist() == [0, 1, 1, 0] * batches
    assert arrays.classes[-1] == last


def test_tinyimagenet_tests_on_the_validation_images(published):
    arrays = official.read("tinyimagenet", settings(published("tinyimagenet")))
    assert arrays.classes == ["n01443537", "n01629819"]
    assert arrays.train_labels.tolist() == [0, 0, 1, 1] and arrays.test_labels.tolist() == [1, 0]
    assert arrays.train_images[:, 5, 5, :].tolist() == [[level] * 3 for level in (0, 10, 50, 60)]
    assert arrays.test_images[:, 5, 5, 0].tolist() == [100, 101]


def test_unknown_official_datasets_are_refused(published):
    with pytest.raises(BadInput, match="unknown official dataset 'cifar-10'; did you mean 'cifar10'"):
        official.read("cifar-10", settings(published("cifar10")))


@pytest.mark.parametrize("name", list(official.ARCHIVES))
def test_a_wrong_checksum_is_refused_before_anything_is_read(published, monkeypatch, name):
    path = published(name)
    content = path.read_bytes()
    for opened in ("tarfile.open", "zipfile.ZipFile"):
        monkeypatch.setattr(opened, lambda *_: pytest.fail("read an unverified archive"))
    for damaged in (content[:-7], content[:-7] + bytes(7)):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=f"{path.name}: MD5 is .* delete it"):
            official.read(name, settings(path))
        assert path.exists()  # somebody put it there: it is theirs to delete


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_an_archive_that_the_study_vouches_for_is_read_and_recorded_as_such(published, kind):
    path = published("cifar100")
    path.write_bytes(path.read_bytes() + bytes(512))  # packed differently
    checksum = f"{kind}:{hashlib.new(kind, path.read_bytes()).hexdigest()}"
    with pytest.raises(BadInput, match="or vouch for it by the setting 'checksum'"):
        official.read("cifar100", settings(path))
    vouched = settings(path).model_copy(update={"checksum": checksum})
    assert official.read("cifar100", vouched).origin["vouched for by the study"] == checksum
    assert fingerprint("cifar100", vouched) != fingerprint("cifar100", settings(path))


@pytest.mark.parametrize("name", list(official.ARCHIVES))
def test_a_member_that_is_a_link_or_leaves_the_folder_is_refused(published, name):
    for member in ("../escaped", "/tmp/escaped", "a/../../escaped"):
        path = published(name, lambda members, member=member: members.update({member: b"x"}))
        with pytest.raises(BadInput, match="escaped' is a link or leaves"):
            official.read(name, settings(path))
        assert not list(path.parent.parent.rglob("escaped"))
    with pytest.raises(BadInput, match="'a/link' is a link"):
        official.read(name, settings(published(name, link="a/link")))


def test_a_missing_part_is_named(published):
    cifar, tiny = "not laid out as .*", "no complete archive .*"
    for name, missing, message in (
        ("cifar10", "cifar-10-batches-py/test_batch", cifar + "test_batch"),
        ("cifar10", "cifar-10-batches-py/data_batch_5", cifar + "data_batch_5"),
        ("cifar100", "cifar-100-python/meta", cifar + "meta"),
        ("tinyimagenet", "tiny-imagenet-200/val/", tiny + "/val/val_annotations.txt"),
        ("tinyimagenet", "tiny-imagenet-200/train/", tiny + "'n01629819'"),
        ("tinyimagenet", "tiny-imagenet-200/train/n01443537/", tiny + "'n01443537'"),
        ("tinyimagenet", "tiny-imagenet-200/val/images/val_1", tiny + "val_1"),
    ):

        def remove(members: dict[str, bytes], missing: str = missing) -> None:
            for member in [member for member in members if member.startswith(missing)]:
                del members[member]

        with pytest.raises(BadInput, match=message):
            official.read(name, settings(published(name, remove)))


def test_an_encrypted_archive_is_refused(published):
    path = published("tinyimagenet")
    content, member = bytearray(path.read_bytes()), b"tiny-imagenet-200/val/val_annotations.txt"
    for flags in (content.index(member) - 30 + 6, content.rindex(member) - 46 + 8):  # in its header, in the directory
        content[flags] |= 1
    path.write_bytes(content)
    vouched = settings(path).model_copy(update={"checksum": f"sha256:{hashlib.sha256(content).hexdigest()}"})
    with pytest.raises(BadInput, match=r"tiny-imagenet-200\.zip: is not laid out .* is encrypted, password required"):
        official.read("tinyimagenet", vouched)


class Server(http.server.BaseHTTPRequestHandler):
    """A server of one file that understands Range and can stop in the middle, once."""

    content = bytes(range(256)) * 2000
    ranges: list[str | None] = []
    stop_after: int | None = None

    def do_GET(self) -> None:
        requested = self.headers.get("Range")
        Server.ranges.append(requested)
        start = int(requested.removeprefix("bytes=").rstrip("-")) if requested else 0
        if start >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if requested else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        stop, Server.stop_after = Server.stop_after, None
        self.wfile.write(self.content[start:stop])

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def served(monkeypatch) -> Iterator[Archive]:
    monkeypatch.setattr(Server, "ranges", [])
    monkeypatch.setattr(Server, "stop_after", None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Archive(f"http://127.0.0.1:{server.server_port}/a.bin", hashlib.md5(Server.content).hexdigest())
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_complete_and_happens_once_however_many_ask_for_it(served):
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: obtain(served, Path("downloads"), served.checksum), range(4)))
    assert {path.read_bytes() for path in paths} == {Server.content}
    assert Server.ranges == [None] and [entry.name for entry in Path("downloads").iterdir()] == ["a.bin"]


def test_a_download_that_was_cut_off_resumes_where_it_stopped_if_anything_remains(served):
    Server.stop_after = 100_000
    with pytest.raises(BadInput, match="run again to continue"):
        obtain(served, Path("downloads"), served.checksum)
    assert not Path("downloads/a.bin").exists()
    assert obtain(served, Path("downloads"), served.checksum).read_bytes() == Server.content
    assert Server.ranges == [None, "bytes=98304-"]  # the last whole chunk before byte 100,000
    Path("downloads/a.bin").rename("downloads/a.bin.part")
    assert obtain(served, Path("downloads"), served.checksum).read_bytes() == Server.content


def test_a_download_with_a_wrong_checksum_is_thrown_away(served):
    with pytest.raises(BadInput, match="MD5"):
        obtain(served, Path("downloads"), "md5:" + "0" * 32)
    assert not list(Path("downloads").iterdir())


def test_an_address_that_does_not_answer_is_named():
    message = r"http://127.0.0.1:9/a.bin: .* put the file into downloads under the name a.bin"
    with pytest.raises(BadInput, match=message):
        obtain(Archive("http://127.0.0.1:9/a.bin", "0" * 32), Path("downloads"), "md5:" + "0" * 32)
