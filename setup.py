"""What pyproject.toml cannot say: a package of the wheel has its files elsewhere, and a build leaves nothing behind.

Orthanc's side has its own folder at the top of the repository; in the wheel it is the folder `workers/stack/orthanc`.
"""

from tempfile import TemporaryDirectory

from setuptools import find_packages, setup

PACS_SIDE = "workers.stack.orthanc"

# A build folder that stayed would put modules that were deleted since into the next wheel.
with TemporaryDirectory() as folder:
    setup(
        packages=[*find_packages(include=["workers", "workers.*", "mskmodel", "mskmodel.*"]), PACS_SIDE],
        package_dir={PACS_SIDE: "orthanc"},
        options={"build": {"build_base": folder}, "egg_info": {"egg_base": folder}},
    )
