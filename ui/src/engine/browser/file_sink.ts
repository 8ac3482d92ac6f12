// Where the bytes of a file that comes are put in a browser, chunk by chunk in any order, and what
// happens to them when all are there.

export interface Sink {
  write(position: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** All of it is there: it becomes the person's. */
  finish(name: string): Promise<void>;
  discard(): Promise<void>;
}

/** Bytes of a file that is kept in memory, where a browser has no better place: a browser holds a
 * few hundred megabytes before it gives up. */
export const MAX_IN_MEMORY = 256 * 1024 * 1024;

interface FilePicker {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

export const CAN_CHOOSE_PLACE = 'showSaveFilePicker' in globalThis;

/** The person says where; has to be called from a click of theirs. */
export async function chosenSink(name: string): Promise<Sink> {
  const picker = globalThis as FilePicker;
  const handle = await picker.showSaveFilePicker?.({ suggestedName: name });
  if (!handle) throw new Error('there is no picker');
  // The browser writes beside the file, and puts it in its place when it is closed.
  const stream = await handle.createWritable();
  return {
    write: (position, data) => stream.write({ type: 'write', position, data }),
    finish: () => stream.close(),
    discard: () => stream.abort(),
  };
}

/** The page's own files, and then the browser's downloads; else memory. */
export async function ownSink(file: string, size: number): Promise<Sink> {
  try {
    const folder = await navigator.storage.getDirectory();
    const handle = await folder.getFileHandle(file, { create: true });
    const stream = await handle.createWritable();
    return {
      write: (position, data) => stream.write({ type: 'write', position, data }),
      finish: async (name) => {
        await stream.close();
        download(await handle.getFile(), name);
      },
      discard: async () => {
        await stream.abort().catch(() => {});
        await folder.removeEntry(file).catch(() => {});
      },
    };
  } catch (error) {
    if (size > MAX_IN_MEMORY) throw error;
    return memorySink();
  }
}

function memorySink(): Sink {
  const parts = new Map<number, Uint8Array<ArrayBuffer>>();
  return {
    write: async (position, bytes) => void parts.set(position, bytes),
    finish: async (name) => {
      const inOrder = [...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
      download(new Blob(inOrder), name);
      parts.clear();
    },
    discard: async () => parts.clear(),
  };
}

/** Browsers mark what is downloaded as from the internet, and put it where the person wants. */
function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Long enough for the browser to have begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
