from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row


def run(book: Book) -> None:
    book.row(Row("raising.before", "what it had by then", 1.0, "x"))
    raise ValueError("the tower is gone")
