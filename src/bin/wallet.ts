#!/usr/bin/env node
/** The `wallet` executable: refuses a Node that is too old in one line, then runs the command. */
import * as Process from "node:process"

const [major = 0, minor = 0] = Process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  Process.stderr.write(`wallet: Node 22.19 or later is needed, this is ${Process.versions.node}\n`)
  Process.exit(1)
}
await import("./main.ts")
