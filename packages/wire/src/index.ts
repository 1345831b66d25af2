export { type ChannelDeclaration, encodeChannel, encodeRefuseChannel } from './channel.ts';
export * from './content-id.ts';
export { Decoder, type Incoming } from './decoder.ts';
export { type EncodedFrame, Encoder } from './encoder.ts';
export * from './hello.ts';
export type { NumberedOrigin } from './origin-numbers.ts';
export { Told } from './told.ts';
export { decodeValue, decodeValues, encodeEphemeral, encodeValue } from './value.ts';
