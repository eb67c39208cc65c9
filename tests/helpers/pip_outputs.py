# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip 26.3 printed when it was made to fail in this or that way; recorded, shortened, with hosts of other names.

Those of systems that were not at hand (Windows, full disks, old versions) are put together from pip's known messages.
"""

from __future__ import annotations

NOTHING_FOUND = """\
ERROR: Could not find a version that satisfies the requirement torch>=2.3 (from versions: none)
ERROR: No matching distribution found for torch>=2.3
"""

RETRY = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection "
    "broken by "
)

NO_NAME = f"""\
Looking in indexes: https://download.example/whl/cpu
{RETRY}'NameResolutionError("HTTPSConnection(host='download.example', port=443): Failed to resolve 'download.example' \
([Errno -2] Name or service not known)")': /whl/cpu/torch/
{NOTHING_FOUND}"""

NO_NAME_WINDOWS = f"""\
{RETRY}'NewConnectionError("HTTPSConnection(host='pypi.example', port=443): Failed to establish a new connection: \
[Errno 11001] getaddrinfo failed")': /simple/torch/
{NOTHING_FOUND}"""

CONNECTION_REFUSED = f"""\
Looking in indexes: https://mirror.example/simple
{RETRY}'NewConnectionError("HTTPSConnection(host='mirror.example', port=443): Failed to establish a new connection: \
[Errno 111] Connection refused")': /simple/torch/
{NOTHING_FOUND}"""

BROKEN_OFF = """\
Collecting toy
  Downloading toy-1.0-py3-none-any.whl (200 kB)
  WARNING: Connection interrupted while downloading.
  WARNING: Attempting to resume incomplete download (50 kB/200 kB, attempt 1)
  Downloading toy-1.0-py3-none-any.whl (200 kB)
  WARNING: Connection interrupted while downloading.
error: incomplete-download

× Download failed after 2 attempts because not enough bytes were received (50 kB/200 kB)
╰─> URL: https://mirror.example/files/toy-1.0-py3-none-any.whl

note: This is an issue with network connectivity, not pip.
"""

CERTIFICATE = f"""\
Looking in indexes: https://mirror.example:8443/simple
{RETRY}'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed \
certificate (_ssl.c:1006)'))': /simple/torch/
Could not fetch URL https://mirror.example:8443/simple/torch/: There was a problem confirming the ssl certificate: \
[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006) - skipping
{NOTHING_FOUND}"""

EXPIRED = CERTIFICATE.replace("self-signed certificate", "certificate has expired")

PROXY = f"""\
Looking in indexes: https://mirror.example/simple
{RETRY}'OSError('Tunnel connection failed: 407 Proxy Authentication Required')': /simple/torch/
{NOTHING_FOUND}"""

PROXY_REFUSED = f"""\
{RETRY}'NewConnectionError("HTTPSConnection(host='proxy.example', port=3128): Failed to establish a new connection: \
[Errno 111] Connection refused")': /simple/torch/
{NOTHING_FOUND}"""

TOO_NEW = """\
ERROR: Could not find a version that satisfies the requirement torch>=2.3 (from versions: 1.13.1, 2.0.0, 2.1.2)
ERROR: No matching distribution found for torch>=2.3
"""

DISK_AFTER_A_RETRY = f"""\
{RETRY.replace("total=0", "total=4")}'ReadTimeoutError("HTTPSConnectionPool(host='files.example', port=443): \
Read timed out. (read timeout=15)")': /packages/torch-2.14.1-cp313-cp313-manylinux_2_28_x86_64.whl
Downloading torch-2.14.1-cp313-cp313-manylinux_2_28_x86_64.whl (554.6 MB)
ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device
"""

DISK_WINDOWS = """\
ERROR: Could not install packages due to an OSError: [WinError 112] There is not enough space on the disk
"""

HASH = """\
Collecting toy
  Downloading toy-1.0-py3-none-any.whl (50 kB)
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, \
please update the hashes. Otherwise, examine the package contents carefully; someone may have tampered with them.
    toy from https://mirror.example/files/toy-1.0-py3-none-any.whl:
        Expected sha256 0000000000000000000000000000000000000000000000000000000000000000
             Got        9483d1c3ad73c1fcfe3260e5fdecbd9a70966a2cf2cd8b95c59d691e46790149
"""

DAMAGED = """\
Collecting toy
  Downloading toy-1.0-py3-none-any.whl (50 kB)
ERROR: Wheel 'toy' located at pip-unpack-0/toy-1.0-py3-none-any.whl is invalid.
"""

LOCKED = """\
ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'C:\\\\Users\\\\A\\\\env\\\\cv2.pyd'
Check the permissions.
"""

LONG_PATH = """\
ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: \
'C:\\\\Users\\\\A\\\\torch\\\\include'
HINT: This error might have occurred since this system does not have Windows Long Path support enabled.
"""

NO_ENSUREPIP = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.
"""

FETCHED = """\
Looking in indexes: https://download.example/whl/cpu
Collecting torch>=2.3
  Downloading https://download.example/whl/cpu/torch-2.14.1-cp313-cp313-linux_x86_64.whl.metadata (31 kB)
Collecting filelock (from torch>=2.3)
  Using cached https://download.example/whl/filelock-3.19.1-py3-none-any.whl (16 kB)
Downloading https://download.example/whl/cpu/torch-2.14.1-cp313-cp313-linux_x86_64.whl (200.0 MB)
Progress 0 of 200000000
Progress 50000000 of 200000000
"""
"""With ``--progress-bar raw``, up to a quarter of torch."""

UNPACKING = """\
Progress 200000000 of 200000000
Downloading https://download.example/whl/sympy-1.14.0-py3-none-any.whl (6.3 MB)
Progress 6300000 of 6300000
Installing collected packages: sympy, filelock, torch
"""
"""What follows."""
