"""Functions that read and operate the page in the browser."""

from selenium.webdriver.common.keys import Keys

NAMES = ("<script>alert(1)</script>", "cat", "dog")


def by_id(page, name):
    return page.find_element("id", name)


def visible_files(page):
    alts = page.execute_script(
        "return Array.from(document.querySelectorAll('.tile img'))"
        ".filter((it) => it.checkVisibility()).map((it) => it.alt)"
    )
    return [alt.split(":")[0] for alt in alts]


def files(items):
    return [item.annotated.file for item in items]


def worst_first(report):
    return sorted(report.gallery, key=lambda item: (item.iou, item.row))


def move(page, slider, percent):
    """Move a slider to a percentage with the keyboard."""
    field = by_id(page, slider)
    steps = percent - round(100 * float(field.get_property("value")))
    field.send_keys(*[Keys.ARROW_RIGHT if steps > 0 else Keys.ARROW_LEFT] * abs(steps))


def boxes_drawn(page, kind):
    return page.execute_script(
        "return Array.from(document.querySelectorAll(arguments[0]))"
        ".filter((it) => it.getClientRects().length > 0).length",
        f".tile .box-{kind}.line",
    )


def count_text(page):
    return by_id(page, "count").text


def all_shown(report):
    """Return the text of the count if no image is hidden."""
    return f"Showing {len(report.gallery)} of {len(report.gallery)} images"


def is_open(page):
    return by_id(page, "viewer").get_property("open")


def facts(page):
    return page.execute_script(
        "return Object.fromEntries(Array.from(document.querySelectorAll('#viewer-facts > div'),"
        " (it) => Array.from(it.children, (part) => part.innerText)))"
    )


def press(page, *keys):
    page.switch_to.active_element.send_keys(*keys)
