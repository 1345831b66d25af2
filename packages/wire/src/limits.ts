/**
 * What a frame may hold at most, beyond the transport's bound on its bytes.
 *
 * Invariants
 *  1. Whatever is beyond a limit is malformed; docs/wire.md states each.
 */

/** Containers inside containers of a value. */
export const maxDepth = 64;
/** Characters (UTF-16 code units) of an id. */
export const maxIdLength = 4096;
/** Bytes in UTF-8 of as much of an id as is told for people: 80 characters. */
export const maxShownIdBytes = 320;
/** Bytes of a node's name in UTF-8. */
export const maxNodeNameBytes = 128;
/** Bytes of the name of an instance or of a protocol in UTF-8. */
export const maxNameBytes = 255;
/** Objects that a `custom` body may make in any case, and from how many of its bytes each further one. */
export const maxObjectsInAnyCase = 1024;
export const bytesOfObject = 4;
/** The highest channel number. */
export const maxChannel = 65535;
/** Characters of the sentence in a refusal. */
export const maxReasonLength = 1024;
/** Origins that a connection may number at a time, unless its node expects more. */
export const maxOrigins = 65_536;
/** Channels that a connection may declare. */
export const maxChannels = 8192;
