"""Entries that take rights away from themselves: seccomp filters, Chromium."""

import os

from transparency_lib.entries import Entry, program
from transparency_lib.stage import TRAVELLER

PAGE = """<html><head><title>A page</title></head><body><p id="p">before</p><script>
let parts = [];
for (let i = 0; i < 20000; ++i) parts.push({i, text: "part " + i});
document.getElementById("p").textContent =
    "after " + parts.map(x => x.text.length).reduce((a, b) => a + b);
</script></body></html>
"""
# As few of its helpers as possible chat or look for a network.
OPTIONS = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--no-pings",
           "--disable-crash-reporter", "--disable-dev-shm-usage", "--virtual-time-budget=2000"]
CHROMIUM = "/usr/lib/chromium/chromium"


def _chromium(user):
    def play(on):
        page = on.write("page.html", PAGE)
        words = [CHROMIUM, *OPTIONS, f"--user-data-dir={on.home}/profile", "--dump-dom",
                 f"file://{page}"]
        if user:
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                     "env", f"HOME={on.home}", *words]
        else:
            words.insert(1, "--no-sandbox")
        running = on.start(words)
        on.fact("status", running.wait(120))
        on.fact("page", on.output(running))
        # Its processes talk when they come to it: which lines, not how many, in order.
        on.fact("errors", sorted(set(on.errors(running).split("\n"))))
    return play


CHROMIUM_RULES = (
    (r".* profile/.*", "DROP"),
    (r"\[\d+:\d+:[\d/.:]+:", "["), (r"\[\d+/[\d.]+:", "["),
    (r".*(dbus|DBus|gcm|GCM|vaapi|gpu|GPU|gl_|angle|ANGLE|Vulkan|udev|Floss|bluez"
     r"|DEPRECATED_ENDPOINT|viz_main|network_service|sandbox_linux|on_device|TensorFlow"
     r"|XNNPACK).*", "DROP"))


def _no_chromium():
    return "" if os.path.exists(CHROMIUM) else "chromium is not installed (--install)"


def _sandboxed(kind, *words, text):
    def here():
        return ""
    return program(f"seccomp-{kind}", text, ["{kit}/sandboxed", *words],
                   package="libseccomp2", programs=("sandboxed",), here=here)


ENTRIES = [
    _sandboxed("kill", "kill", text="libseccomp: 13 calls allowed, else killed"),
    _sandboxed("full-ring", "kill", "many", text="the same, 400,000 blocks"),
    _sandboxed("errno", "errno", text="what is not allowed fails with EPERM"),
    _sandboxed("trap", "trap", "many", text="what is not allowed raises SIGSYS; handler"),
    _sandboxed("threads", "thread", "many", text="a thread born under the filter"),
    Entry("chromium-root", "--no-sandbox, headless, as root, dumps a page that a script made",
          _chromium(""), package="chromium", here=_no_chromium, programs=("chromium",),
          rules=CHROMIUM_RULES),
    Entry("chromium", "the same as a user, in its sandbox", _chromium(TRAVELLER[0]),
          here=_no_chromium, root=True, programs=("chromium",), rules=CHROMIUM_RULES),
]
