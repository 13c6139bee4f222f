from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row


def run(book: Book) -> None:
    book.put("device_name", "A Card 9000")
    book.row(Row("good.figure", "a figure", 2.0, "s", 3, at_most=1.5))
