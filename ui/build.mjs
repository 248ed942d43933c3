// Builds the console into gridctl/web/static (or the folder given by --out), or with --tests the
// tests into .test-build. Prints one line. No network, no configuration beyond this file.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const value = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const common = {
  absWorkingDir: here, bundle: true, target: "es2022", logLevel: "warning",
  jsx: "automatic", jsxImportSource: "preact",
};

async function tests() {
  const names = (await readdir(join(here, "test"))).filter((n) => n.endsWith(".test.ts"));
  await rm(join(here, ".test-build"), { recursive: true, force: true });
  await build({
    ...common, entryPoints: names.map((n) => `test/${n}`), outdir: ".test-build",
    format: "esm", platform: "node", outExtension: { ".js": ".test.mjs" },
    entryNames: "[name]",
  });
}

async function console_() {
  const out = resolve(value("--out") ?? join(here, "..", "gridctl", "web", "static"));
  await mkdir(out, { recursive: true });
  const result = await build({
    ...common, entryPoints: { app: "src/main.tsx" }, outdir: out, write: false,
    format: "esm", platform: "browser", minify: !process.argv.includes("--dev"),
    sourcemap: process.argv.includes("--dev") ? "inline" : false, legalComments: "eof",
  });
  const hash = createHash("sha256");
  for (const file of result.outputFiles) hash.update(file.contents);
  const build_hash = hash.digest("hex").slice(0, 12);
  for (const file of result.outputFiles) await writeFile(file.path, file.contents);
  const page = await readFile(join(here, "src", "index.html"), "utf8");
  await writeFile(join(out, "index.html"), page.replaceAll("{{build}}", build_hash));
  for (const name of ["favicon.svg", "plain.css"]) await writeFile(join(out, name), await readFile(join(here, "src", name)));
  await writeFile(join(out, "build.json"), `${JSON.stringify({ build: build_hash })}\n`);
  const bytes = result.outputFiles.reduce((sum, f) => sum + f.contents.length, 0);
  process.stdout.write(`console ${build_hash}, ${Math.round(bytes / 1024)} kB, in ${out}\n`);
}

await (process.argv.includes("--tests") ? tests() : console_());
