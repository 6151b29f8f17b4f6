import io
import os
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from mnist_localization.data.images.decode import (
    decode_image,
    map_in_threads,
    printable,
    read_header,
    read_header_and_pixels,
    read_image,
)
from mnist_localization.data.images.letterbox import fit_into_input
from mnist_localization.errors import ImageError
from support.settings import image_settings

SETTINGS = image_settings(height=6, width=8, channels=1)
GRADIENT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path, mode="L", size=(8, 6)):
    Image.new(mode, size, 7 if mode == "L" else None).save(path)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side):
    """Return a small PNG whose header promises side x side white pixels."""
    rows = zlib.compress(b"\x00" * (side * (side + 1)), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_gray_image_keeps_its_pixels(tmp_path):
    Image.fromarray(GRADIENT).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png", SETTINGS, 1.0)[1][..., 0], GRADIENT
    )


@pytest.mark.parametrize(
    ("mode", "size", "reason"),
    [
        ("L", (9, 6), "9x6 pixels, but dataset.image is 8x6"),
        ("RGB", (8, 6), "3 channels"),
        ("RGBA", (8, 6), "4 channels"),
        ("L", (2000, 2000), "more than the limit"),
    ],
)
def test_an_image_of_another_shape_is_an_error_that_names_it(tmp_path, mode, size, reason):
    path = save(tmp_path / "a.png", mode, size)
    with pytest.raises(ImageError, match=rf"a\.png.*{reason}"):
        read_image(path, SETTINGS, 1.0)


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif", "jpg"])
def test_a_truncated_image_is_an_error(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=rf"a\.{suffix}: .*(damaged|not an image)"):
        decode_image(path, channels=3, max_mb=1.0)


def test_a_file_that_is_not_an_image_is_an_error(tmp_path):
    (tmp_path / "a.png").write_text("GIF? no")
    with pytest.raises(ImageError, match="not an image"):
        read_image(tmp_path / "a.png", SETTINGS, 1.0)


def test_unsupported_formats_are_not_opened(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png", format="EPS")
    with pytest.raises(ImageError, match="not an image"):
        decode_image(tmp_path / "a.png", channels=3, max_mb=1.0)


@pytest.mark.parametrize("side", [5_000, 40_000])
def test_a_decompression_bomb_is_refused_before_decoding(tmp_path, side, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(min(side, 5_000)))
    if side > 5_000:  # beyond the limit at which Pillow itself refuses
        data = bytearray(path.read_bytes())
        data[16:24] = struct.pack(">II", side, side)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        path.write_bytes(bytes(data))

    def decoded(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "convert", decoded)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(ImageError, match=r"bomb\.png.*(more than the limit|refused before)"):
        decode_image(path, channels=1, max_mb=16.0)


@pytest.mark.parametrize("max_mb", [16.0, 200.0])
def test_the_configured_limit_replaces_the_warning_of_pillow(tmp_path, max_mb, recwarn):
    side = 10_000  # between Pillow's warning and its own refusal
    with Image.new("L", (side, side)) as image:
        image.save(tmp_path / "large.png", compress_level=1)
    if max_mb < 100:
        with pytest.raises(ImageError, match=r"large\.png: 10000x10000 pixels.*limit of 16 MiB"):
            decode_image(tmp_path / "large.png", channels=1, max_mb=max_mb)
    else:
        found = decode_image(tmp_path / "large.png", channels=1, max_mb=max_mb)
        assert found.shape == (side, side, 1)
    assert read_header(tmp_path / "large.png").width == side
    assert not recwarn.list


def test_threads_do_not_change_the_warning_filters(tmp_path):
    path, before = save(tmp_path / "a.png"), list(warnings.filters)
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert len(set(pool.map(read_header, [path] * 200))) == 1
    assert warnings.filters == before


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_name_that_is_not_utf8_is_escaped(tmp_path):
    path = tmp_path / os.fsdecode(b"\xe4\xff.png")
    path.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"\\udce4\\udcff\.png: not an image") as error:
        decode_image(path, channels=1, max_mb=1.0)
    str(error.value).encode("utf-8")
    assert printable("ä 大.png") == "ä 大.png"


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif"])
def test_lossless_formats_keep_the_colors(tmp_path, suffix):
    pixels = np.random.default_rng(1).integers(0, 256, (5, 9, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, lossless=True)  # only WebP has this option
    np.testing.assert_array_equal(decode_image(path, channels=3, max_mb=1.0), pixels)


def test_a_jpeg_keeps_the_colors_approximately(tmp_path):
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, 12:] = (200, 100, 50)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    found = decode_image(tmp_path / "a.jpg", channels=3, max_mb=1.0)
    np.testing.assert_allclose(found.astype(int), pixels, atol=4)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_keeps_the_upper_byte(tmp_path, suffix):
    samples = GRADIENT.astype(np.uint16) * 256 + 129
    Image.fromarray(samples).save(tmp_path / f"a.{suffix}")
    found = decode_image(tmp_path / f"a.{suffix}", channels=1, max_mb=1.0)
    np.testing.assert_array_equal(found[..., 0], GRADIENT)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}", SETTINGS, 1.0)[1], found)


def test_16_bit_color_keeps_the_upper_byte(tmp_path):
    row = b"\x00" + struct.pack(">6H", 0x1234, 0x80FF, 0xFF00, 0, 256, 65535)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row))
    found = decode_image(io.BytesIO(png + chunk(b"IEND", b"")), channels=3, max_mb=1.0, name="a")
    np.testing.assert_array_equal(found, [[[0x12, 0x80, 0xFF], [0, 1, 255]]])


def test_a_palette_is_converted_to_colors(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 150, 100])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png")
    found = decode_image(tmp_path / "a.png", channels=3, max_mb=1.0)
    np.testing.assert_array_equal(found, [[[10, 20, 30], [200, 150, 100]]])


def test_a_transparent_palette_entry_shows_the_background(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 150, 100])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    found = decode_image(tmp_path / "a.png", channels=3, max_mb=1.0, background=9)
    np.testing.assert_array_equal(found, [[[9, 9, 9], [200, 150, 100]]])


@pytest.mark.parametrize(("background", "expected"), [(0, 50), (200, 150)])
def test_transparent_pixels_show_the_background(tmp_path, background, expected):
    Image.new("RGBA", (8, 6), (100, 100, 100, 128)).save(tmp_path / "a.png")
    found = decode_image(tmp_path / "a.png", channels=1, max_mb=1.0, background=background)
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_colors_are_converted_to_luma_and_gray_to_three_channels(tmp_path):
    Image.new("RGB", (8, 6), (255, 0, 0)).save(tmp_path / "red.png")
    assert decode_image(tmp_path / "red.png", channels=1, max_mb=1.0)[0, 0, 0] == 76
    Image.new("L", (8, 6), 50).save(tmp_path / "gray.png")
    found = decode_image(tmp_path / "gray.png", channels=3, max_mb=1.0)
    assert found.shape == (6, 8, 3)
    assert set(found.ravel()) == {50}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    """Store each image as the inverse of its orientation tag."""
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255  # the upper left quarter
    inverse = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(inverse(upright))).save(path, exif=exif, lossless=True)
    found = decode_image(path, channels=3, max_mb=1.0)
    np.testing.assert_allclose(found.astype(int), upright, atol=3)
    header = read_header(path)
    assert (header.height, header.width, header.channels) == (16, 32, 3)


def test_the_header_has_size_and_pixel_format(tmp_path):
    header = read_header(save(tmp_path / "a.png", "RGBA", (30, 20)))
    assert (header.format, header.mode, header.height, header.width, header.channels) == (
        *("PNG", "RGBA"),
        *(20, 30, 4),
    )


def test_floating_point_samples_are_an_error(tmp_path):
    Image.fromarray(np.full((6, 8), 0.5, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.*floating-point"):
        decode_image(tmp_path / "a.tif", channels=1, max_mb=1.0)


def test_messages_name_a_stream_by_its_given_name():
    with pytest.raises(ImageError, match="upload 7: not an image"):
        decode_image(io.BytesIO(b"nothing"), channels=1, max_mb=1.0, name="upload 7")


@pytest.mark.parametrize("count", [0, 1, 31, 512, 1100])
def test_results_of_threads_are_in_the_order_of_the_files(count):
    files = [str(number) for number in range(count)]
    assert list(map_in_threads(int, files, "test")) == list(range(count))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_the_bits_in_use_set_the_range(tmp_path, suffix, bits, kind):
    samples = (GRADIENT.astype(np.uint32) << (bits - 8)).astype(kind)
    samples[0, 0] = 2**bits - 1
    Image.fromarray(samples).save(tmp_path / f"a{suffix}")
    pixels = read_image(tmp_path / f"a{suffix}", SETTINGS, 1.0)[1][..., 0]
    expected = GRADIENT.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(pixels, expected)


def test_32_bit_samples_are_scaled_by_their_range(tmp_path):
    samples = GRADIENT.astype(np.int32) << 4
    Image.fromarray(samples).save(tmp_path / "a.tif")
    pixels = read_image(tmp_path / "a.tif", SETTINGS, 1.0)[1][..., 0]
    np.testing.assert_array_equal(pixels, GRADIENT)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "I;16"])
def test_a_tiff_of_any_kind_is_turned_as_a_png(tmp_path, mode, orientation):
    shades = GRADIENT.astype(np.uint16) << 8 | 255
    image = Image.fromarray(shades if mode == "I;16" else GRADIENT)
    image = image if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.tif", exif=exif)
    Image.fromarray(GRADIENT).save(tmp_path / "a.png", exif=exif)
    expected = decode_image(tmp_path / "a.png", channels=1, max_mb=1.0)
    header = read_header(tmp_path / "a.tif")
    assert (header.height, header.width) == expected.shape[:2]
    found = decode_image(tmp_path / "a.tif", channels=1, max_mb=1.0)
    np.testing.assert_allclose(found.astype(int), expected, atol=1)
    with Image.open(tmp_path / "a.tif") as opened:
        found = decode_image(opened, channels=1, max_mb=1.0)
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


@pytest.mark.parametrize("bits", [10, 14, 16, 20])
def test_stated_bits_set_the_range_of_dark_images_as_well(tmp_path, bits, caplog):
    samples = np.array([[0, 2 ** (bits - 1), 2**bits - 1, 2 ** (bits - 5)]], np.int32)
    Image.fromarray(samples).save(tmp_path / "a.tif")
    settings = image_settings(1, 4, sample_bits=bits)
    _, pixels = read_image(tmp_path / "a.tif", settings, 1.0)
    assert pixels.ravel().tolist() == [0, 128, 255, 8]
    assert caplog.text == ""
    less = image_settings(1, 4, sample_bits=bits - 1)
    with pytest.raises(
        ImageError, match=rf"a\.tif.*more than dataset\.image\.sample_bits = {bits - 1}"
    ):
        read_image(tmp_path / "a.tif", less, 1.0)


def photo(height: int, width: int) -> Image.Image:
    """Return a smooth image with a bright box in its upper left quarter."""
    columns, rows = np.meshgrid(np.linspace(0, 90, width), np.linspace(0, 90, height))
    pixels = (rows + columns)[:, :, None] * [1.0, 0.5, 0.2]
    pixels[height // 8 : height // 2, width // 8 : width // 2] = 230
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_large_jpeg_is_decoded_at_a_smaller_size(tmp_path, mode, orientation):
    image, exif = photo(2000, 3001).convert(mode), Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif)
    image.save(tmp_path / "a.tif", exif=exif)
    settings = image_settings(90, 96, 3, letterbox=True, convert_channels=True)
    header, pixels = read_image(tmp_path / "a.jpg", settings, 256.0)
    size = (2000, 3001) if orientation == 1 else (3001, 2000)
    assert (header.height, header.width) == size
    assert min(pixels.shape[:2]) >= 2 * 96
    assert max(pixels.shape[:2]) < 600
    whole = decode_image(tmp_path / "a.tif", channels=3, max_mb=256.0)
    assert whole.shape[:2] == size
    found = fit_into_input(pixels, 90, 96, size=size).astype(int)
    expected = fit_into_input(whole, 90, 96).astype(int)
    assert np.abs(found - expected).mean() < 2
    # Without letterboxing, all pixels are kept.
    exact = image_settings(*size, 3, convert_channels=True)
    assert read_image(tmp_path / "a.jpg", exact, 256.0)[1].shape[:2] == size


def test_an_open_image_of_the_caller_is_not_changed(tmp_path):
    photo(2000, 3000).save(tmp_path / "a.jpg")
    settings = image_settings(96, 96, 3, letterbox=True)
    with Image.open(tmp_path / "a.jpg") as image:
        header, pixels = read_header_and_pixels(image, settings, 256.0)
        assert image.size == (3000, 2000)
        assert pixels.shape == (header.height, header.width, 3)


def test_the_first_image_of_a_gif_is_read_by_any_name(tmp_path):
    frames = [Image.fromarray(GRADIENT), Image.fromarray(255 - GRADIENT)]
    for name in ("a.gif", "a.jpg"):
        frames[0].save(tmp_path / name, "GIF", save_all=True, append_images=frames[1:])
        pixels = decode_image(tmp_path / name, channels=1, max_mb=1.0)[..., 0]
        np.testing.assert_allclose(pixels.astype(int), GRADIENT, atol=1)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_a_heic_image_is_an_error_that_recommends_jpeg(tmp_path, brand):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0" * 40)
    with pytest.raises(ImageError, match=r"a\.jpg: a HEIC or AVIF image.*convert it to JPEG"):
        read_header(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "value", [0, 9, 255, b"right", "6", (1, 0), 3.7], ids=["0", "9", "255", "b", "t", "tuple", "f"]
)
def test_damaged_exif_data_leave_an_image_upright(tmp_path, monkeypatch, value):
    Image.fromarray(GRADIENT).save(tmp_path / "a.png")
    # Pillow reads such values from a file, but does not write them.
    monkeypatch.setattr(Image.Image, "getexif", lambda _: {0x0112: value})
    assert read_header(tmp_path / "a.png").orientation == 1
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png", SETTINGS, 1.0)[1][..., 0], GRADIENT
    )


@pytest.mark.parametrize("garbage", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\0" * 9])
def test_exif_data_that_cannot_be_parsed_do_not_block_an_image(tmp_path, garbage):
    Image.fromarray(GRADIENT).save(tmp_path / "a.jpg", exif=garbage)
    assert decode_image(tmp_path / "a.jpg", channels=1, max_mb=1.0).shape == (6, 8, 1)
    assert read_header(tmp_path / "a.jpg").orientation == 1
