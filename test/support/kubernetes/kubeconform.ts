/** kubeconform, laid once into a folder outside the tree where Go, Python and their registries can be had. */
import { spawnSync } from "node:child_process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const recipe = Path.join(import.meta.dirname, "lay.sh")
const user = process.getuid?.() ?? 0
const hash = Crypto.createHash("sha256").update(Fs.readFileSync(recipe)).digest("hex").slice(0, 12)
const folder = Path.join(Os.tmpdir(), `effect-wallet-kubeconform-${user}-${hash}`)

/** Milliseconds: two downloads and a build. */
const layMillis = 240_000

/** Others may write where it lies: what is not ours is not run. */
const isLaid = (): boolean => {
  const found = Fs.lstatSync(folder, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === user && Fs.existsSync(Path.join(folder, "kubeconform"))
}

/** Why it cannot be had here; `undefined`: it is laid. */
const lay = (): string | undefined => {
  if (isLaid()) return undefined
  const { error, status, stderr } = spawnSync(recipe, [folder], { encoding: "utf8", timeout: layMillis })
  return status === 0 ? undefined : (error?.message ?? stderr.trim().split("\n").at(-1))
}

export const kubeconformLacks = lay()

/** Judges manifests strictly; the exit code, and a line for each of them. */
export const kubeconform = (manifests: string): { readonly status: number | null; readonly said: string } => {
  const schemas = Path.join(folder, "schemas/{{.ResourceKind}}{{.KindSuffix}}.json")
  const { status, stderr, stdout } = spawnSync(
    Path.join(folder, "kubeconform"),
    ["-strict", "-verbose", "-schema-location", schemas],
    { input: manifests, encoding: "utf8" }
  )
  return { status, said: (stdout + stderr).trim() }
}
