import subprocess
import sys

from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row


def run(book: Book) -> None:
    book.row(Row("hanging.before", "what it had by then", 1.0, "x"))
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (book.setup.out / "helper.pid").write_text(str(helper.pid))
    helper.wait()
