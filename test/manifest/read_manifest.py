"""Reads a manifest by docs/manifest.md alone and prints it as JSON: facts, count, checksum, records."""
import base64, hashlib, json, struct, sys

PAGES, STATES = 139264, ["absent", "inherited", "written", "doubtful"]

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def header(file, offset):
    file.seek(offset)
    fixed = struct.unpack("<16sIIQ16s6I", file.read(72))
    magic, version, crc, sequence, name, _, _, _, volume_gib, trusted, size = fixed
    file.seek(offset)
    copy = bytearray(file.read(72 + size))
    copy[20:24] = bytes(4)
    if (magic, version, crc) == (b"EBS-MANIFEST\r\n\x1a\n", 1, crc32c(copy)):
        return sequence, name, volume_gib, trusted, json.loads(copy[72:])

with open(sys.argv[1], "rb") as file:
    copies = [copy for copy in (header(file, 0), header(file, 65536)) if copy]
    sequence, name, volume_gib, trusted, facts = max(copies, key=lambda copy: copy[0])
    aggregate, records, blocks = hashlib.sha256(), [], volume_gib * 2048
    for number in range(-(-blocks // 126)):
        file.seek(PAGES + number * 4096)
        page = file.read(4096).ljust(4096, b"\0")
        blank, whole = not any(page), page[4:24] == struct.pack("<I16s", number, name)
        if blank and number < trusted:
            continue
        whole = whole and struct.unpack_from("<I", page)[0] == crc32c(page[4:])
        for row in range(min(126, blocks - number * 126)):
            state = page[32 + row // 4] >> row % 4 * 2 & 3 if whole else 3
            digest = page[64 + row * 32 : 96 + row * 32]
            if state == 2:
                aggregate.update(digest)
            if state:
                records.append([number * 126 + row, STATES[state], digest.hex() if state < 3 else None])
    count = sum(state == "written" for _, state, _ in records)
    checksum = base64.b64encode(aggregate.digest()).decode()
    print(json.dumps({"facts": facts, "count": count, "checksum": checksum, "records": records}))
