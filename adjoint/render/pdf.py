"""A PDF of one page that shows a PNG: for machines whose layout program writes no PDF itself."""

from __future__ import annotations

import struct


def pdf_of(png: bytes, dpi: float) -> bytes:
    """One page of the picture's size.

    The compressed pixels are taken over as they are: PDF knows PNG's filters. A fourth channel is opaque in
    our pictures; a color space that drops it saves taking the pixels apart.

    Args:
        png: 8 bits a channel, RGB or RGBA, not interlaced.
        dpi: pixels per inch.

    Raises:
        ValueError: another kind of PNG.
    """
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    if depth != 8 or color not in (2, 6) or interlaced:
        raise ValueError(f"a PNG of {depth} bits, color type {color}, is not written to PDF")
    channels = 3 if color == 2 else 4
    pixels = b"".join(data for kind, data in _chunks(png) if kind == b"IDAT")
    space = b"/DeviceRGB"
    if channels == 4:
        space = b"[/DeviceN [/Red /Green /Blue /None] /DeviceRGB 5 0 R]"
    image = (
        b"<</Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace %b "
        b"/Filter /FlateDecode /DecodeParms <</Predictor 15 /Colors %d /BitsPerComponent 8 /Columns %d>> "
        b"/Length %d>>\nstream\n%b\nendstream"
    ) % (width, height, space, channels, width, len(pixels), pixels)
    w, h = f"{72 * width / dpi:.2f}".encode(), f"{72 * height / dpi:.2f}".encode()
    paint = b"q %b 0 0 %b 0 0 cm /Picture Do Q" % (w, h)
    function = b"{pop}"
    resources = b"<</XObject <</Picture 4 0 R>>>>"
    objects = [
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 %b %b] /Resources %b /Contents 6 0 R>>"
        % (w, h, resources),
        image,
        b"<</FunctionType 4 /Domain [0 1 0 1 0 1 0 1] /Range [0 1 0 1 0 1] /Length %d>>\n"
        b"stream\n%b\nendstream" % (len(function), function),
        b"<</Length %d>>\nstream\n%b\nendstream" % (len(paint), paint),
    ]
    return _assembled(objects)


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _assembled(objects: list[bytes]) -> bytes:
    """The file: objects, the table of where they begin, the trailer."""
    text, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        text
        + b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, table)
        + b"trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(text))
    )
