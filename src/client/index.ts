/** `aloft/client`: typed clients for programs. */
export { GrpcClient, type GrpcClientOptions, type TlsOptions } from './grpc-client.js';
export { HttpClient, type CallOptions, type HttpClientOptions } from './http-client.js';
export type { TextPiece, TextRequest } from './text-request.js';
