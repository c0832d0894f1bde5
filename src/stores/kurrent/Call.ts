/**
 * The call that appends, on the client's connection but with our encoder. It reaches
 * into the client's package; where that is not built as we know it, the client's own
 * method does the same, more slowly.
 */
import {
  type AppendRecordsResult,
  convertToCommandError,
  type KurrentDBClient,
  STREAM_STATE
} from "@kurrent/kurrentdb-client"
import { createRequire } from "node:module"
import { parseJson } from "../../domain/Json.ts"
import { encodeAppend, type WireCheck, type WireRecord } from "./Wire.ts"

/** A client of grpc-js, as far as it is used here. */
interface GrpcClient {
  readonly makeUnaryRequest: (
    path: string,
    serialize: (bytes: Buffer) => Buffer,
    deserialize: (bytes: Buffer) => AppendAnswer,
    bytes: Buffer,
    metadata: unknown,
    options: unknown,
    callback: (error: Error | null, answer?: AppendAnswer) => void
  ) => unknown
}

interface AppendAnswer {
  readonly getPosition: () => string
  readonly getRevisionsList: () => ReadonlyArray<{
    readonly getStream: () => string
    readonly getRevision: () => string
  }>
}

interface StreamsService {
  readonly service: {
    readonly appendRecords: {
      readonly path: string
      readonly responseDeserialize: (bytes: Buffer) => AppendAnswer
    }
  }
}

/** What the client does for each of its own calls: find the connection, and give it up when it is broken. */
interface ClientInside {
  readonly execute?: (
    service: StreamsService,
    name: string,
    action: (grpc: GrpcClient) => Promise<AppendRecordsResult>
  ) => Promise<AppendRecordsResult>
  readonly callArguments?: (options: object) => readonly [metadata: unknown, options: unknown]
}

const findService = (): StreamsService | undefined => {
  try {
    const path = "@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v2/streams/streams_grpc_pb"
    const service = (createRequire(import.meta.url)(path) as { readonly StreamsServiceClient?: StreamsService })
      .StreamsServiceClient
    return service?.service?.appendRecords?.responseDeserialize === undefined ? undefined : service
  } catch {
    return undefined
  }
}

const service = findService()

/** Whether appends go the fast way with this client. */
export const isDirect = (client: KurrentDBClient): boolean => {
  const { callArguments, execute } = client as unknown as ClientInside
  return service !== undefined && typeof execute === "function" && typeof callArguments === "function"
}

const resultOf = (answer: AppendAnswer): AppendRecordsResult => ({
  position: BigInt(answer.getPosition()),
  responses: answer.getRevisionsList().map((revision) => ({
    streamName: revision.getStream(),
    revision: BigInt(revision.getRevision())
  }))
})

const sendDirect = (client: ClientInside, { service: { appendRecords } }: StreamsService, bytes: Buffer) => {
  // Sets a deadline and the caller's credentials. The server asks for the leader by itself.
  const [metadata, options] = client.callArguments!({ requiresLeader: false })
  return (grpc: GrpcClient): Promise<AppendRecordsResult> =>
    new Promise((resolve, reject) => {
      const { path, responseDeserialize } = appendRecords
      const asTheyAre = (bytes: Buffer) => bytes
      grpc.makeUnaryRequest(path, asTheyAre, responseDeserialize, bytes, metadata, options, (error, answer) => {
        // `convertToCommandError` takes any error that gRPC makes.
        if (answer === undefined) reject(convertToCommandError(error as Parameters<typeof convertToCommandError>[0]))
        else resolve(resultOf(answer))
      })
    })
}

/** One transaction; rejects as the client's own `appendRecords` does. */
export const appendRecords = (
  client: KurrentDBClient,
  records: ReadonlyArray<WireRecord>,
  checks: ReadonlyArray<WireCheck>
): Promise<AppendRecordsResult> => {
  const inside = client as unknown as ClientInside
  return service !== undefined && isDirect(client)
    ? inside.execute!(service, "appendRecords", sendDirect(inside, service, encodeAppend(records, checks)))
    : appendByClient(client, records, checks)
}

/** The same by the client's own encoder. */
export const appendByClient = (
  client: KurrentDBClient,
  records: ReadonlyArray<WireRecord>,
  checks: ReadonlyArray<WireCheck>
): Promise<AppendRecordsResult> =>
  client.appendRecords(
    records.map(({ data, id, metadata, stream, type }) => ({
      streamName: stream,
      record: {
        id,
        contentType: "application/json",
        type,
        data: parseJson(data) as Record<string, unknown>,
        metadata: { ...metadata }
      }
    })),
    checks.map(({ state, stream }) => ({ type: STREAM_STATE, streamName: stream, expectedState: state }))
  )
