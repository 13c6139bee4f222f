from benchmarks.gpu.book import Book, StepError


def run(book: Book) -> None:
    raise StepError("1 of 2 ways could not be run")
