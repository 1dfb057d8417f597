"""Collects what an application needs of venturi and its imports do not show.

The bundles and the C kernel are opened by their paths beside the code. Other packages are imported
by the first call that needs them, where they are installed; what these need in turn is collected by
the hooks that come with PyInstaller.
"""

from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs

FIRST_CALL = (
    *("onnxruntime", "cv2", "av"),
    *("PIL.Image", "PIL.ImageCms", "pillow_heif", "pillow_jxl", "simplejpeg"),
)

datas = collect_data_files("venturi", excludes=["**/*.c"])
binaries = collect_dynamic_libs("venturi", search_patterns=["_rans.so"])  # on every system
hiddenimports = [name for name in FIRST_CALL if find_spec(name.partition(".")[0])]
