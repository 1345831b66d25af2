/** msgpackr's build that makes no code has no types of its own; it is the same library. */
declare module 'msgpackr/index-no-eval' {
  export { Packr } from 'msgpackr';
}
