/**
 * Builds the console. `node console/build.ts` makes `dist/console`, a part of the package. With `--cached` it builds into
 * `node_modules/.cache/console`, unless what the sources make is there already, and prints where: that is how the service
 * gets it where it runs from source. With `--serve` it stays, for work on the console, in front of a service at port 3000.
 */
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

// Of whoever starts this it may say anything, and a framework's half for development does not fit its half for use.
process.env.NODE_ENV = "production"

const root = fileURLToPath(new URL("..", import.meta.url))
const cache = Path.join(root, "node_modules/.cache/console")

/** What the bundle is made of, with everything that may have a say in it. */
const inputs = ["console", "src/domain", "src/http", "src/stores", "src/cli/import", "package-lock.json"]

/** Builds that are kept: those of a few branches, and what another process is just reading. */
const keptBuilds = 4

/** By names, sizes and times: to read a few hundred files at every start would take longer. */
const stamp = (): string => {
  const hash = createHash("sha256").update(process.version)
  const look = (path: string): void => {
    const stat = Fs.statSync(path)
    if (stat.isDirectory()) {
      for (const name of Fs.readdirSync(path).sort()) look(Path.join(path, name))
    } else {
      hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`)
    }
  }
  for (const input of inputs) look(Path.join(root, input))
  return hash.digest("base64url").slice(0, 16)
}

const settings = (outDir: string) => ({
  root: Path.join(root, "console"),
  configFile: false as const,
  mode: "production",
  // Whatever stands before it, the page finds its files beside itself, in the folder that has its name.
  base: "./",
  logLevel: "warn" as const,
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir,
    emptyOutDir: true,
    assetsDir: "console",
    // All at once: there is nothing on any page that another does without.
    modulePreload: false,
    chunkSizeWarningLimit: 2_000,
    rolldownOptions: {
      // Directives of frameworks that render on servers, which this is none of.
      checks: { moduleLevelDirective: false }
    }
  }
})

/** Of the newest builds. */
const forgetOld = (): void => {
  const builds = Fs.readdirSync(cache)
    .map((name) => ({ path: Path.join(cache, name), time: Fs.statSync(Path.join(cache, name)).mtimeMs }))
    .sort((one, other) => other.time - one.time)
  for (const { path } of builds.slice(keptBuilds)) Fs.rmSync(path, { recursive: true, force: true })
}

export const buildConsole = async (outDir: string): Promise<void> => {
  const { build: viteBuild } = await import("vite")
  await viteBuild(settings(outDir))
}

/** Two that build at once do it twice; the first one's stays. */
const buildCached = async (): Promise<string> => {
  const made = Path.join(cache, stamp())
  if (Fs.existsSync(made)) return made
  const own = `${made}.${process.pid}`
  await buildConsole(own)
  try {
    Fs.renameSync(own, made)
  } catch (error) {
    Fs.rmSync(own, { recursive: true, force: true })
    if (!Fs.existsSync(made)) throw error
  }
  forgetOld()
  return made
}

const serve = async (): Promise<void> => {
  const { createServer } = await import("vite")
  const service = "http://127.0.0.1:3000"
  const proxy = Object.fromEntries(["/v1", "/health", "/metrics"].map((path) => [path, service]))
  const server = await createServer({ ...settings(""), logLevel: "info", define: {}, server: { proxy } })
  await server.listen()
  server.printUrls()
}

if (import.meta.main) {
  const [how] = process.argv.slice(2)
  if (how === "--cached") console.log(await buildCached())
  else if (how === "--serve") await serve()
  else await buildConsole(Path.join(root, "dist/console"))
}
