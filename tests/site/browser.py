"""Le site bâti, servi sur cette machine, et ce qu'un navigateur y observe."""

from __future__ import annotations

import functools
import gzip
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, Response, Route

# COURSE_SITE : vérifier un autre site bâti que celui du dépôt (un seul chapitre, par exemple).
SITE = Path(os.environ.get("COURSE_SITE", Path(__file__).parents[2] / "_build" / "html"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
NOT_PAGES = {"_static", "_images", "_sources", "carnets"}
NO_SITE = f"Aucun site dans {SITE} : construisez-le d'abord par « make site »."

# nom du mode : largeur de la fenêtre, thème demandé par le système
MODES = {"clair": (1280, "light"), "sombre": (1280, "dark"), "telephone": (390, "light")}


def page_names() -> list[str]:
    """Rend les pages du site bâti ; une page fictive sans site, pour que les tests échouent."""
    found = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    names = sorted(str(path) for path in found if path.parts[0] not in NOT_PAGES)
    return names or ["index.html"]


def require_site() -> None:
    """Fait échouer le test, sans le sauter, quand le site n'est pas bâti."""
    if not (SITE / "index.html").is_file():
        pytest.fail(NO_SITE, pytrace=False)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serveur de fichiers qui n'écrit pas son journal."""

    def log_message(self, *arguments: object) -> None:
        """Se tait."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Sert un dossier sur 127.0.0.1 et rend son adresse."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def launch(playwright: Playwright) -> Browser:
    """Lance ``COURSE_CHROMIUM``, sinon le Chromium du système, sinon celui de Playwright."""
    system = next(filter(None, map(shutil.which, BROWSERS)), None)
    executable = os.environ.get("COURSE_CHROMIUM") or system
    return playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)


@dataclass
class Visit:
    """Une page ouverte, et ce qui s'y est passé."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def watch(self) -> None:
        """Note les erreurs de console, les requêtes tierces (arrêtées) et les réponses."""
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.route("**/*", self._stay_local)

    def _note_console(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _stay_local(self, route: Route) -> None:
        address = urlparse(route.request.url)
        if address.hostname == "127.0.0.1" or address.scheme in ("data", "blob"):
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def failures(self) -> list[str]:
        """Rend les adresses qui n'ont pas été trouvées."""
        return [
            f"{answer.status} {answer.url}" for answer in self.responses if answer.status >= 400
        ]

    def gzip_weight(self) -> dict[str, int]:
        """Rend le poids comprimé de chaque fichier reçu, figures exclues."""
        kept = {answer.url: answer for answer in self.responses if "/_images/" not in answer.url}
        return {url: len(gzip.compress(answer.body(), 9)) for url, answer in kept.items()}

    def horizontal_overflow(self) -> int:
        """Rend de combien de pixels la page dépasse la fenêtre."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def broken_images(self) -> list[str]:
        """Charge toutes les images, même lointaines, et rend celles qui manquent."""
        return self.page.evaluate(
            """async () => {
              const images = [...document.images];
              images.forEach((image) => { image.loading = "eager"; });
              await Promise.all(images.map((image) => image.decode().catch(() => {})));
              return images.filter((image) => !image.naturalWidth).map((image) => image.src);
            }"""
        )

    def unfold(self) -> None:
        """Ouvre tout ce qui est replié dans l'article, pour le vérifier aussi."""
        self.page.evaluate(
            "document.querySelectorAll('article details').forEach((fold) => { fold.open = true; })"
        )

    def accessibility_violations(self) -> list[str]:
        """Rend les violations d'axe, après avoir aplati formules et code.

        Axe mettrait une minute sur leurs vingt mille balises, qui n'apprennent rien : les formules
        héritent des couleurs du texte, et les couleurs du code ont leur test.
        """
        self.page.evaluate(
            """() => document.querySelectorAll("pre, .katex").forEach((element) => {
              const shown = element.querySelector(":scope > .katex-html") ?? element;
              element.textContent = shown.textContent;
            })"""
        )
        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']} ({len(rule['nodes'])}) : {[node['html'][:160] for node in rule['nodes'][:3]]}"
            for rule in found
        ]


@contextmanager
def visit(browser: Browser, url: str, mode: str = "clair", **options: object) -> Iterator[Visit]:
    """Ouvre une page dans un profil neuf, et la ferme."""
    width, scheme = MODES[mode]
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="fr-FR", **options)
    try:
        opened = Visit(context.new_page())
        opened.watch()
        opened.page.goto(url, wait_until="networkidle")
        yield opened
    finally:
        context.close()
