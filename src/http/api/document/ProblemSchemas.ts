/**
 * Problems in the OpenAPI document: one schema for all of them, told apart by `code`. Those that say
 * more than all do have a schema each; the others share one.
 */
import { problemMembers, problemStatus, type ProblemCode, requiredMembers } from "../Problem.ts"
import { type Json, objectAt, schemaRef, without } from "./JsonTree.ts"

const codes = Object.keys(problemStatus) as ReadonlyArray<ProblemCode>

/** With members that the problem always has. Those that may stand in it make no kind of their own. */
const hasOwn = (code: ProblemCode): boolean => requiredMembers(code).length > 0

const ownCodes = codes.filter(hasOwn)
const generalCodes = codes.filter((code) => !hasOwn(code))

const problemSchemaName = (code: ProblemCode): string => (hasOwn(code) ? `${code}Problem` : "GeneralProblem")

const common = (code: Json): Json => ({
  type: { type: "string", format: "uri-reference", description: "A URI of the kind: the same for the same `code`." },
  title: { type: "string", description: "The kind in words." },
  status: { type: "integer", format: "int32", minimum: 400, maximum: 599, description: "The status of the answer." },
  code,
  detail: { type: "string", description: "What is wrong, for people." },
  retryable: {
    type: "boolean",
    description: "Whether the same request may succeed later, without anybody doing anything for it."
  },
  requestId: { type: "string", description: "As `X-Request-Id`; a result of a batch has none of its own." }
})

const required = ["type", "title", "status", "code", "detail", "retryable"]

const leg: Json = {
  type: "integer",
  format: "int32",
  minimum: 0,
  maximum: 99,
  description: "Of a transfer of several legs: which one, from 0."
}

const membersOf = (code: ProblemCode, schemas: Json): Json => {
  const properties = objectAt(objectAt(schemas, code), "properties")
  return Object.fromEntries(problemMembers(code).map((name) => [name, name === "leg" ? leg : properties[name]]))
}

const generalProblem = (schemas: Json): Json => ({
  type: "object",
  description: "A problem that always says what all say, and sometimes more.",
  required,
  properties: {
    ...common({ type: "string", enum: generalCodes, description: "Names the problem." }),
    ...Object.assign({}, ...generalCodes.map((code) => membersOf(code, schemas))),
    leg,
    transferId: {
      ...schemaRef("Id"),
      description: "The one that it is about; of `NotRefundable` that which can be refunded itself."
    }
  }
})

const ownProblem = (code: ProblemCode, schemas: Json): Json => ({
  type: "object",
  required: [...required, ...requiredMembers(code)],
  properties: {
    ...common({ type: "string", const: code, description: "Names the problem." }),
    ...membersOf(code, schemas)
  }
})

const problem = (): Json => ({
  description:
    "RFC 9457. `code` names the problem: programs go by it, and take one that they do not know for a general problem of its status.",
  type: "object",
  required,
  oneOf: [...ownCodes.map((code) => schemaRef(problemSchemaName(code))), schemaRef("GeneralProblem")],
  discriminator: {
    propertyName: "code",
    mapping: Object.fromEntries(codes.map((code) => [code, schemaRef(problemSchemaName(code)).$ref]))
  }
})

/** The schemas without those of the problems' classes, and with these. */
export const withProblemSchemas = (schemas: Json): Json => ({
  ...without(schemas, ...codes),
  Problem: problem(),
  GeneralProblem: generalProblem(schemas),
  ...Object.fromEntries(ownCodes.map((code) => [problemSchemaName(code), ownProblem(code, schemas)]))
})
