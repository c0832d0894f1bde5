/**
 * The driver over the library of a checkout: `node AgainstWorker.ts FOLDER`, with an IPC
 * channel. The driver's own modules are this checkout's; what they import by name, the
 * library and Effect among it, is taken as a module of that checkout would take it: there
 * is one Effect in the process, and of the checkout only its public door is used.
 */
import { registerHooks } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"

const ours = ["../", "../../src/load/"].map((folder) => new URL(folder, import.meta.url).href)
const parentURL = pathToFileURL(resolve(process.argv[2] ?? "", "package.json")).href

/** Neither a path nor a URL. */
const isName = (specifier: string): boolean => /^(?:@|\w[^:]*$)/.test(specifier)

registerHooks({
  resolve: (specifier, context, next) =>
    next(
      specifier,
      isName(specifier) && ours.some((folder) => context.parentURL?.startsWith(folder) === true)
        ? { ...context, parentURL }
        : context
    )
})

await import("./AgainstDriver.ts")
