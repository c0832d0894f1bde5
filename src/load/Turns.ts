/** Several threads that send one load together: they draw the same sequence, and take its blocks by turns. */

/** Whose turn: `index` of `of`, from 0. */
export interface Turn {
  readonly index: number
  readonly of: number
}

/** One thread alone. */
export const everyTurn: Turn = { index: 0, of: 1 }

/** Of a sequence without end the blocks of `block` that are this turn's. */
export const turnsOf = <A>(next: () => A, { index, of }: Turn, block: number): (() => A) => {
  let passed = index * block
  let left = 0
  return () => {
    if (left === 0) {
      for (; passed > 0; passed--) next()
      passed = (of - 1) * block
      left = block
    }
    left--
    return next()
  }
}

/** This turn's part of so many. */
export const partOf = (whole: number, { index, of }: Turn): number => Math.floor((whole + of - 1 - index) / of)
