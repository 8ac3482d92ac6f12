// What the page needs for files from whoever runs the call. A file is named by `FileView.file`.
// Every promise rejects with a `FailureView`.

/** To somebody by their id, or to everybody in the call, now and later. */
export type Recipient = string | null;

export interface FileEngine {
  /** Lets the person pick files, and offers them. */
  pick(to: Recipient): Promise<void>;
  /** Offers what was pasted, or dropped on the page. */
  offer(files: File[], to: Recipient): Promise<void>;
  /** Offers what was dropped on the window, of which `files_dropped` told. */
  offerDropped(to: Recipient): Promise<void>;
  /** Takes a file that is offered; `choose`: into a folder that the person picks. */
  accept(file: string, choose: boolean): Promise<void>;
  /** Refuses a file that is offered, or gives up one that comes. */
  cancel(file: string): Promise<void>;
  /** Stops a file that comes for a while, or goes on. */
  pause(file: string, paused: boolean): Promise<void>;
  /** Takes an offer back from somebody. */
  withdraw(file: string, peer: string): Promise<void>;
  /** Holds back what is sent of a file, or goes on. */
  hold(file: string, held: boolean): Promise<void>;
  /** Shows where a file that has come lies. */
  show(file: string): Promise<void>;
  /** What this engine can beside that. */
  readonly can: { choose: boolean; show: boolean };
}
