// Puts a .br and a .gz beside each text file of the folders, where they are smaller: the gateway sends them as they are.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const entries = process.argv.slice(2).flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }));
for (const entry of entries) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !/\.(css|html|js|json|svg|webmanifest)$/.test(entry.name)) {
    continue;
  }
  const content = readFileSync(path);
  const packed = {
    br: brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    gz: gzipSync(content, { level: 9 }),
  };
  for (const [ending, bytes] of Object.entries(packed)) {
    if (bytes.length < content.length) {
      writeFileSync(`${path}.${ending}`, bytes);
    }
  }
}
