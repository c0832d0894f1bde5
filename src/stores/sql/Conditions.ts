/** The conditions of a list query and their parameters, as far as the query has them. */
export class SqlConditions {
  readonly conditions: Array<string> = []
  readonly parameters: Array<unknown> = []

  /** A further parameter; answers its placeholder. */
  parameter(value: unknown): string {
    this.parameters.push(value)
    return `$${this.parameters.length}`
  }

  add(condition: (placeholder: string) => string, value: unknown): this {
    this.conditions.push(condition(this.parameter(value)))
    return this
  }

  /** Nothing for `undefined`. */
  addIf<A>(value: A | undefined, condition: (placeholder: string) => string, encode: (value: A) => unknown): this {
    return value === undefined ? this : this.add(condition, encode(value))
  }

  toString(): string {
    return this.conditions.length === 0 ? "true" : this.conditions.join(" and ")
  }
}
