import * as Schema from "effect/Schema"

/**
 * Decodes `value` by a schema of the API, and throws where it has more or less. Schemas of a list have no type in common
 * that a decoder takes; none of the API's needs services.
 */
export const conforms = (schema: Schema.Constraint, value: unknown): unknown =>
  Schema.decodeUnknownSync(schema as unknown as Schema.Decoder<unknown>, { onExcessProperty: "error" })(value)
