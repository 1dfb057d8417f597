"""The HTTP face of the service.

    PUT /photos/NAME?quality=50                  a JPEG, PNG, WebP or .vnt file as the body
    GET /photos/NAME.png?region=TOP,LEFT,HEIGHT,WIDTH
    GET /photos/NAME.jpg, /photos/NAME.vnt, /health

Uploads are the request's body and not an HTML form: a form is written to disk in full before any
code of ours could refuse it.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from venturi import Codec, DeviceError, Region, StreamError

from .limits import Limits
from .pictures import to_picture, to_stream
from .refusal import Refusal
from .store import Store
from .workers import Workers

FOLDER_VARIABLE = "PHOTO_SERVICE_FOLDER"
TYPES = {"png": "image/png", "jpg": "image/jpeg", "vnt": "application/octet-stream"}

_log = logging.getLogger(__name__)


def create_app(folder: Path, codec: Codec, limits: Limits) -> FastAPI:
    """Return the application that keeps its photos in ``folder``."""
    store, workers = Store(folder), Workers(limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(title="Photos", lifespan=lifespan)
    _add_errors(app)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.put("/photos/{name}", status_code=201)
    async def put(
        request: Request, name: str, quality: Annotated[int, Query(ge=1, le=100)] = 50
    ) -> dict[str, int]:
        upload = await _body(request, limits)

        def keep() -> int:
            stream = to_stream(codec, upload, quality, limits)
            store.add(name, stream)
            return len(stream)

        return {"received": len(upload), "stored": await workers.run(keep)}

    @app.get("/photos/{name}.{suffix}")
    async def get(
        name: str, suffix: Literal["png", "jpg", "vnt"], region: str | None = None
    ) -> Response:
        stream = await asyncio.to_thread(store.get, name)
        if suffix != "vnt":
            part = None if region is None else _region(region)
            stream = await workers.run(partial(to_picture, codec, stream, f".{suffix}", part))
        # Photos never change, and a browser must not guess another type from a stranger's bytes.
        headers = {"Cache-Control": "max-age=31536000", "X-Content-Type-Options": "nosniff"}
        return Response(stream, media_type=TYPES[suffix], headers=headers)

    return app


def from_environment() -> FastAPI:
    """Return the application of a worker process of uvicorn (``--factory``)."""
    limits = Limits()
    # Pictures are worked on side by side; a thread for each is faster than several for one.
    return create_app(Path(os.environ[FOLDER_VARIABLE]), Codec("photo", threads=1), limits)


async def _body(request: Request, limits: Limits) -> bytes:
    """Read the body, up to the limits; a length that the client declares is only a claim."""
    body = bytearray()
    try:
        async with asyncio.timeout(limits.upload_s):
            async for part in request.stream():
                body += part
                if len(body) > limits.max_bytes:
                    raise Refusal(413, f"expected at most {limits.max_bytes} bytes")
    except TimeoutError:
        raise Refusal(408, f"expected the upload within {limits.upload_s:g} s") from None
    except ClientDisconnect:
        raise Refusal(400, "the upload broke off") from None  # nobody reads this but the log
    return bytes(body)


def _region(text: str) -> Region:
    try:
        top, left, height, width = map(int, text.split(","))
    except ValueError:
        raise Refusal(422, "region: expected TOP,LEFT,HEIGHT,WIDTH in pixels") from None
    return top, left, height, width


def _add_errors(app: FastAPI) -> None:
    """Map what goes wrong to statuses: 4xx is the client's to mend, 5xx ours."""

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> JSONResponse:
        headers = {"Retry-After": "1"} if refusal.status == 503 else None
        return JSONResponse({"detail": refusal.message}, refusal.status, headers)

    @app.exception_handler(StreamError)
    async def report_damage(request: Request, error: StreamError) -> JSONResponse:
        _log.error("%s: %s", request.url.path, error)
        return JSONResponse({"detail": "the stored photo is damaged"}, 500)

    @app.exception_handler(MemoryError)
    @app.exception_handler(DeviceError)
    async def report_shortage(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s: %s", request.url.path, error)
        return JSONResponse({"detail": "out of resources"}, 503, {"Retry-After": "10"})
