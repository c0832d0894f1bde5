/**
 * Commands as JSON, for the way from one node to another.
 *
 * A command travels as its caller gave it, valid or not: the rules judge it where the
 * wallet is, so that an answer does not depend on the way it took. So only the kind of a
 * value is read strictly here. As with events, a shape is readable one release before it
 * is first written: nodes of two releases run side by side while they are replaced one by
 * one.
 */
import * as Result from "effect/Result"
import { isJsonObject, type JsonObject, unionCodec } from "./Codec.ts"
import { commandCases, type RemoteCommand } from "./Command.ts"

const commands = unionCodec(commandCases)

/** JSON-able; the tag is written as `type`. */
export const encodeCommand = (command: RemoteCommand): JsonObject => commands.encode(command)

/** The failure says what cannot be read. */
export const decodeCommand = (value: unknown): Result.Result<RemoteCommand, string> => {
  if (!isJsonObject(value)) return Result.fail("command: not an object")
  const { type, ...data } = value
  if (!commands.isTag(type)) return Result.fail("command: unknown type")
  const codec = commands.caseOf(type)
  const command = codec.decodeInto({ _tag: type }, data)
  return command === undefined ? Result.fail(`${type}: ${codec.explain(data)}`) : Result.succeed(command)
}
