"""The command line: python -m benchmarks COMMAND.

codec | denoise | video | frame | mnist | memory | latency | loadgen | all
adapt | report | compare | readme | picture | card
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import latency, results
from venturi._io.files import write_atomically
from venturi.errors import VenturiError

_PICTURE = Path(__file__).parents[1] / "docs" / "assets" / "venturi.svg"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; return 0 when it worked."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (VenturiError, ValueError, OSError) as error:
        print(f"benchmarks {options.command}: {error}", file=sys.stderr)
        return 2 if options.command == "compare" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    codec = commands.add_parser("codec", help="rate, distortion and time beside JPEG, WebP, AVIF")
    _measuring(codec, name="codec", data="folder of lossless pictures", bundle="photo")
    codec.set_defaults(run=_codec)
    denoise = commands.add_parser("denoise", help="quality and time beside OpenCV's denoisers")
    _measuring(
        denoise, name="denoise", data="folder that holds kodak, cbsd68, cc15", bundle="camera"
    )
    denoise.add_argument(
        "--beside", nargs="*", metavar="NAME_OR_PATH", help="default: the others that ship"
    )
    denoise.set_defaults(run=_denoise)
    video = commands.add_parser("video", help="a stream of frames beside the still denoiser")
    video.add_argument("--data", type=Path, required=True, help="holds video, kodak")
    video.add_argument("--json", type=Path, default=results.OWN / "video.json", metavar="FILE")
    video.add_argument(
        "--bundle",
        default="camera-video",
        metavar="NAME_OR_PATH",
        help="one with state; default: %(default)s",
    )
    video.add_argument(
        "--still",
        default="camera-fast",
        metavar="NAME_OR_PATH",
        help="default: %(default)s, which grew into the one with state",
    )
    video.add_argument("--pictures", type=_positive, metavar="N", help="the first N stills")
    video.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    video.set_defaults(run=_video)
    frame = commands.add_parser("frame", help="ways of a uint8 frame into a denoiser and out again")
    frame.add_argument("--json", type=Path, default=results.OWN / "frame.json", metavar="FILE")
    frame.add_argument(
        "--bundle", default="camera", metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    frame.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    frame.add_argument(
        "--runs", type=_positive, default=64, help="timed calls, default: %(default)s"
    )
    frame.set_defaults(run=_frame)
    mnist = commands.add_parser("mnist", help="the autoencoder family beside PCA and PNG")
    mnist.add_argument(
        "bundles", type=Path, nargs="*", metavar="BUNDLE", help="default: those of all runs"
    )
    mnist.add_argument("--runs-folder", type=Path, default=Path("runs"), metavar="FOLDER")
    mnist.add_argument(
        "--data", type=Path, metavar="FOLDER", help="holds mnist and fashion-mnist (as in training)"
    )
    mnist.add_argument("--json", type=Path, default=results.OWN / "mnist.json", metavar="FILE")
    _measuring_time(mnist)
    mnist.set_defaults(run=_mnist)
    _add_memory(commands)
    _add_adapt(commands)
    _add_card(commands)
    latency.add_parsers(commands)
    everything = commands.add_parser(
        "all", help="every benchmark whose data and models are there, then the report"
    )
    everything.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="holds kodak, cbsd68, cc15, mnist, fashion-mnist",
    )
    everything.add_argument("--results", type=Path, default=results.OWN, metavar="FOLDER")
    everything.add_argument("--runs-folder", type=Path, default=Path("runs"), metavar="FOLDER")
    _measuring_time(everything)
    everything.set_defaults(run=_all)
    readme = commands.add_parser("readme", help="write the figures into the documents")
    readme.add_argument("--results", type=Path, default=results.FOLDER, metavar="FOLDER")
    readme.add_argument("--check", action="store_true", help="only tell whether they are the same")
    readme.set_defaults(run=_readme)
    picture = commands.add_parser("picture", help="draw the picture of the README")
    picture.add_argument("--photo", type=Path, metavar="FILE", help="default: one of scikit-image")
    picture.add_argument("--quality", type=float, default=30, help="default: %(default)s")
    picture.add_argument("--bundle", default="photo", metavar="NAME_OR_PATH")
    picture.add_argument("--results", type=Path, default=results.FOLDER, metavar="FOLDER")
    picture.add_argument(
        "--svg", type=Path, default=_PICTURE, metavar="FILE", help="default: %(default)s"
    )
    picture.set_defaults(run=_picture)
    compare = commands.add_parser(
        "compare",
        help="what changed beyond the noise between two results files of any kind",
        description="Say what changed beyond the noise. The exit code is 0 when nothing got worse, "
        "1 on a regression or a figure that is gone, 2 when the files cannot be compared.",
    )
    compare.add_argument("old", type=Path, metavar="OLD")
    compare.add_argument("new", type=Path, metavar="NEW")
    compare.set_defaults(run=_compare)
    report = commands.add_parser("report", help="one HTML page of the results")
    report.add_argument("--results", type=Path, default=results.FOLDER, metavar="FOLDER")
    report.add_argument(
        "--html",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="default: %(default)s",
    )
    report.set_defaults(run=_report)
    return parser


def _add_memory(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    memory = commands.add_parser("memory", help="the codec's peak memory on a large picture")
    memory.add_argument("--json", type=Path, default=results.OWN / "memory.json", metavar="FILE")
    memory.add_argument(
        "--bundle", default="photo", metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    memory.add_argument(
        "--megapixels", type=float, default=100, metavar="N", help="default: %(default)s"
    )
    memory.add_argument(
        "--whole-megapixels",
        type=float,
        default=24,
        metavar="N",
        help="of the picture that the graphs also see in one piece; default: %(default)s",
    )
    memory.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    memory.set_defaults(run=_memory)


def _add_adapt(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    adapt = commands.add_parser("adapt", help="a fine-tuned codec beside the one it came from")
    adapt.add_argument("--data", type=Path, required=True, help="folder of pictures of its kind")
    adapt.add_argument("--elsewhere", type=Path, required=True, help="folder of other pictures")
    adapt.add_argument("--json", type=Path, default=results.OWN / "adapt.json", metavar="FILE")
    adapt.add_argument("--bundle", required=True, metavar="NAME_OR_PATH", help="the fine-tuned one")
    adapt.add_argument(
        "--general", default="photo", metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    adapt.add_argument("--pictures", type=_positive, metavar="N", help="the first N of each set")
    adapt.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    adapt.set_defaults(run=_adapt)


def _add_card(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    card = commands.add_parser("card", help="write a codec's model card into its bundle")
    card.add_argument("--data", type=Path, required=True, help="folder of lossless pictures")
    card.add_argument("--results", type=Path, default=results.FOLDER, metavar="FOLDER")
    card.add_argument(
        "--pictures",
        type=Path,
        default=results.FOLDER / "card",
        metavar="FOLDER",
        help="for crops that show its weaknesses; default: %(default)s",
    )
    card.add_argument(
        "--bundle", default="photo", metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    card.add_argument(
        "--weights",
        default="photo",
        metavar="NAME_OR_PATH",
        help="checkpoint, run or shipped name that it was exported from; default: %(default)s",
    )
    card.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    card.set_defaults(run=_card)


def _measuring(parser: argparse.ArgumentParser, *, name: str, data: str, bundle: str) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=data)
    parser.add_argument(
        "--json", type=Path, default=results.OWN / f"{name}.json", metavar="FILE", help="results"
    )
    parser.add_argument(
        "--bundle", default=bundle, metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    _measuring_time(parser)


def _measuring_time(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pictures", type=_positive, metavar="N", help="the first N of each set")
    parser.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    parser.add_argument(
        "--runs", type=_positive, default=64, help="calls for the latency, default: %(default)s"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _codec(options: argparse.Namespace) -> int:
    from benchmarks import codec

    found = codec.measure(
        codec.Options(
            options.data,
            options.bundle,
            options.pictures,
            options.threads,
            options.runs,
            options.json.with_name(options.json.stem + "-crops"),
        )
    )
    codec.write(options.json, found)
    print(codec.text(found))
    return 0


def _denoise(options: argparse.Namespace) -> int:
    from benchmarks import denoise

    found = denoise.measure(
        denoise.Options(
            options.data,
            options.json,
            options.bundle,
            options.pictures,
            options.threads,
            options.runs,
            beside=(
                denoise.shipped_beside(options.bundle) if options.beside is None else options.beside
            ),
        )
    )
    return _keep(options.json, found, denoise.text)


def _video(options: argparse.Namespace) -> int:
    from benchmarks import video

    found = video.measure(
        video.Options(
            options.data, options.bundle, options.still, options.pictures, options.threads
        )
    )
    return _keep(options.json, found, video.text)


def _frame(options: argparse.Namespace) -> int:
    from benchmarks import frame

    found = frame.measure(frame.Options(options.bundle, options.threads, options.runs))
    return _keep(options.json, found, frame.text)


def _mnist(options: argparse.Namespace) -> int:
    from benchmarks import mnist

    bundles = options.bundles or mnist.listed(options.runs_folder)
    found = mnist.measure(
        mnist.Options(
            bundles,
            options.json,
            options.data,
            options.pictures,
            options.threads,
            options.runs,
        )
    )
    return _keep(options.json, found, mnist.text)


def _memory(options: argparse.Namespace) -> int:
    from benchmarks import memory

    found = memory.measure(
        memory.Options(
            options.bundle, options.threads, options.megapixels, options.whole_megapixels
        )
    )
    return _keep(options.json, found, memory.text)


def _adapt(options: argparse.Namespace) -> int:
    from benchmarks import adapt

    found = adapt.measure(
        adapt.Options(
            options.bundle,
            options.general,
            options.data,
            options.elsewhere,
            options.pictures,
            options.threads,
        )
    )
    return _keep(options.json, found, adapt.text)


def _keep(path: Path, found: results.Results, text: Callable[[results.Results], str]) -> int:
    """Write what was measured, print it as people read it, and return that it worked."""
    results.write(path, found)
    print(text(found))
    return 0


def _card(options: argparse.Namespace) -> int:
    from benchmarks import card

    written = card.write(
        card.Options(
            options.bundle,
            options.weights,
            options.results,
            options.data,
            options.pictures,
            options.threads,
        )
    )
    print(written)
    return 0


def _all(options: argparse.Namespace) -> int:
    from benchmarks import everything

    plan = everything.plan(options)
    failed = [name for name, words in plan.items() if main(words) != 0]
    for name in failed:
        print(f"benchmarks all: {name} failed, see above", file=sys.stderr)
    return int(bool(failed))


def _readme(options: argparse.Namespace) -> int:
    from benchmarks import codec, documents

    stale = documents.stale(options.results, documents.ROOT)
    if options.check:
        names = ", ".join(page.name for page in stale)
        print(f"not as the results: {names}: run without --check" if stale else "as the results")
        return int(bool(stale))
    for page, text in stale.items():
        write_atomically(page, text.encode())
    if (options.results / "codec.json").exists():
        codec.draw(options.results / "codec.json", results.read(options.results / "codec.json"))
    return 0


def _picture(options: argparse.Namespace) -> int:
    from benchmarks import demo, picture

    drawn = picture.draw(
        options.photo or demo.shipped_photographs()[0],
        results.read(options.results / "codec.json"),
        bundle=options.bundle,
        quality=options.quality,
    )
    options.svg.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.svg, drawn.encode())
    print(options.svg)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from benchmarks import compare

    old, new = results.read(options.old), results.read(options.new)
    found = compare.changes(old, new)
    print(compare.text(found))
    print(compare.about_times(old, new))
    return int(any(change.regression for change in found))


def _report(options: argparse.Namespace) -> int:
    from benchmarks import report

    write_atomically(options.html, report.page(options.results).encode())
    print(options.html)
    return 0


if __name__ == "__main__":
    sys.exit(main())
