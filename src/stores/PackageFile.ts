/**
 * Files of this package that are no modules, or the programs of threads. They are beside the module that asks for them,
 * unless an app's bundler has put that module elsewhere: then they are where npm has put the package.
 */

export interface PackageFile {
  /** `import.meta.url` of the module that asks. */
  readonly asker: string
  /** Its path in `src` and `dist`, without extension. */
  readonly module: string
  /** From its folder. */
  readonly beside: string
  /** From the package's folder, as published. */
  readonly packaged: string
}

/**
 * A module that is not at its own path is in a bundle; what is beside that may be the app's own. Throws where a bundle
 * runs without the package in any `node_modules` above it.
 */
export const packageFile = ({ asker, beside, module, packaged }: PackageFile): URL =>
  asker.endsWith(`/${module}.ts`) || asker.endsWith(`/${module}.js`)
    ? new URL(beside, asker)
    : new URL(packaged, import.meta.resolve("effect-wallet/package.json"))

/** The program of a thread, by its path in `src` and `dist` without extension: from source it runs as `.ts`, published as `.js`. */
export const threadProgram = (asker: string, module: string, program: string): URL => {
  const root = "../".repeat(module.split("/").length - 1)
  return packageFile({
    asker,
    module,
    beside: `${root}${program}${asker.endsWith(".ts") ? ".ts" : ".js"}`,
    packaged: `dist/${program}.js`
  })
}
