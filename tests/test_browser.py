"""The helper that opens pages in a browser finds what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from tests.browser import opened

BAD = """<!DOCTYPE html><html><body><script src="missing.js"></script><img src="https://elsewhere.example/a.png"><script>nobody.home()</script>
<svg width="200" height="60"><text x="10" y="20">under</text><text x="12" y="20">over</text>
<text x="10" y="50" visibility="hidden">unseen</text></svg>
<p style="white-space: nowrap; width: 10px">A line that is far too long for a window of 500 pixels, whatever the font: it goes on and on to the right</p>
</body></html>"""
GOOD = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="60"><text x="10" y="20">alone</text></svg>'


def test_a_bad_page_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(BAD)
    page = opened(tmp_path / "page.html", width=500)
    complaints = "\n".join(page.complaints())
    for part in ("nobody is not defined", "missing.js", "elsewhere.example"):
        assert part in complaints
    assert "'over' lies on 'under'" in page.unreadable()
    assert [text for text in page.unreadable() if text.endswith("is cut off")]
    assert "unseen" not in page.texts()


def test_a_good_picture_is_let_pass(tmp_path: Path) -> None:
    (tmp_path / "picture.svg").write_text(GOOD)
    page = opened(tmp_path / "picture.svg")
    assert page.texts() == ["alone"]
    assert not page.complaints() and not page.unreadable()
