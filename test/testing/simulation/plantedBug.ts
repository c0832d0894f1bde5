/** A bug to be planted: changes of the text of the engine. */

export interface Replacement {
  readonly file: string
  /** Is there once. */
  readonly text: string
  readonly by: string
}

export interface PlantedBug {
  readonly name: string
  readonly replacements: ReadonlyArray<Replacement>
  /** A file of unit tests: the simulation cannot meet it, or not see it, and they have to find it. */
  readonly foundBy: string | undefined
}

export const change = (file: string, text: string, by: string): Replacement => ({ file: `src/${file}`, text, by })

export const bug = (name: string, ...replacements: ReadonlyArray<Replacement>): PlantedBug => ({
  name,
  replacements,
  foundBy: undefined
})

export const foundBy = (test: string, name: string, ...replacements: ReadonlyArray<Replacement>): PlantedBug => ({
  name,
  replacements,
  foundBy: test
})
