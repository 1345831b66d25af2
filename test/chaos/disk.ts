/**
 * The disk of the state files: a file system of its own, small enough to be filled. Needs the right to mount (root, on Linux).
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SIZE_BYTES = 256 * 1024;

export class Disk {
  readonly path: string;
  /** Why it cannot be filled; then it is a directory as any other. */
  readonly problem: string | null;

  constructor(path: string) {
    this.path = path;
    this.problem = mount(path);
    process.once('exit', this.#unmount);
  }

  /** Takes all the room that there is. */
  fill(): void {
    try {
      writeFileSync(this.#ballast, Buffer.alloc(SIZE_BYTES), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
    throw new Error('the disk did not fill up');
  }

  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  close(): void {
    process.off('exit', this.#unmount);
    this.#unmount();
  }

  // Lazily: a process that is just ending may still have a file open.
  readonly #unmount = (): void => {
    if (this.problem === null) execFileSync('umount', ['-l', this.path]);
  };

  get #ballast(): string {
    return join(this.path, 'ballast');
  }
}

function mount(path: string): string | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'grapevine-chaos', path], { stdio: 'pipe' });
    return null;
  } catch (error) {
    const { stderr, message } = error as Error & { readonly stderr?: Buffer };
    return `no file system can be mounted here: ${stderr?.toString().split('\n')[0] || message}`;
  }
}
