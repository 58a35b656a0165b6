"""nbval réexécute les carnets comme la construction les a exécutés."""

import os

from nbval.kernel import RunningKernel

os.environ.setdefault("COURSE_BUILD", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def execute_cell_input(self, cell_input, allow_stdin=None):
    """Exécute une cellule dans l'historique : sans lui, IPython ignore le « ; » final."""
    return self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)


RunningKernel.execute_cell_input = execute_cell_input
