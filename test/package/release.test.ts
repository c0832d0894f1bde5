/** How a version is made: its changelog of changesets, in a copy of what they touch; and that only the workflow publishes. */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"

const root = Path.resolve(import.meta.dirname, "../..")
const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

const manifest = JSON.parse(read("package.json")) as {
  readonly version: string
  readonly scripts: Readonly<Record<string, string>>
}

/** Below the introduction, above the version before. */
const parts = (changelog: string): ReadonlyArray<string> => changelog.split(/^## /m)

describe("a release", () => {
  it("has its changesets in the changelog, in their words, above the version before", () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "wallet-release-"))
    try {
      for (const path of [".changeset", "package.json", "CHANGELOG.md"]) {
        Fs.cpSync(Path.join(root, path), Path.join(folder, path), { recursive: true })
      }
      Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(folder, "node_modules"))
      const changeset = `---\n"effect-wallet": minor\n---\n\nWallets may sing. Their songs:\n\n- one\n`
      Fs.writeFileSync(Path.join(folder, ".changeset/song.md"), changeset)
      const run = (command: string, ...args: ReadonlyArray<string>): void => {
        const { status, stderr, stdout } = spawnSync(command, args, { cwd: folder, encoding: "utf8" })
        assert.strictEqual(status, 0, `${command} ${args.join(" ")}: ${stdout}${stderr}`)
      }
      run("git", "init", "--quiet", "--initial-branch=main")
      run(process.execPath, Path.join(root, "node_modules/@changesets/cli/bin.js"), "version")
      const version = (JSON.parse(Fs.readFileSync(Path.join(folder, "package.json"), "utf8")) as typeof manifest)
        .version
      assert.notStrictEqual(version, manifest.version)
      const [before, ...versions] = parts(read("CHANGELOG.md"))
      const [introduction, newest, ...older] = parts(Fs.readFileSync(Path.join(folder, "CHANGELOG.md"), "utf8"))
      assert.strictEqual(introduction, before)
      assert.strictEqual(newest, `${version}\n\n### Minor Changes\n\n- Wallets may sing. Their songs:\n\n  - one\n\n`)
      assert.deepStrictEqual(older, versions)
      assert.isFalse(Fs.existsSync(Path.join(folder, ".changeset/song.md")))
    } finally {
      Fs.rmSync(folder, { recursive: true, force: true })
    }
  })

  it("has its version at the head of the changelog", () => {
    const [, newest = ""] = parts(read("CHANGELOG.md"))
    assert.strictEqual(/^[\d.]+/.exec(newest)?.[0], manifest.version)
  })

  it("is published by the workflow alone, with its provenance", () => {
    const workflow = read(".github/workflows/release.yml")
    assert.match(workflow, /^name: release$/m)
    assert.match(workflow, /^ +- run: npm publish --provenance --access public$/m)
    for (const text of [workflow, ...Object.values(manifest.scripts)]) assert.notMatch(text, /changeset publish/)
    const publish = (variables: Readonly<Record<string, string>>) =>
      spawnSync("npm", ["run", "--silent", "prepublishOnly"], {
        cwd: root,
        env: { PATH: process.env.PATH ?? "", ...variables },
        encoding: "utf8"
      })
    assert.match(publish({}).stderr, /by the workflow release alone/)
    assert.notStrictEqual(publish({ GITHUB_WORKFLOW: "another" }).status, 0)
    assert.strictEqual(publish({ GITHUB_WORKFLOW: "release" }).status, 0)
  })
})
