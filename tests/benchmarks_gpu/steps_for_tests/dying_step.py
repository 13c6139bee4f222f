import os

from benchmarks.gpu.book import Book


def run(book: Book) -> None:
    os.abort()
