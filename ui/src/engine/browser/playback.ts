// Keeps media elements playing. Browsers let nothing play before the person has touched the page;
// what was refused is tried again at the next touch or key.

const GESTURES = ['pointerdown', 'keydown', 'touchend'] as const;

export class Playback {
  private readonly waiting = new Set<HTMLMediaElement>();

  /** `blocked` is called when the first element has to wait for the person. */
  constructor(private readonly blocked: () => void) {
    for (const gesture of GESTURES) {
      addEventListener(gesture, () => this.again(), { capture: true, passive: true });
    }
  }

  play(element: HTMLMediaElement): void {
    element.play().then(
      () => this.waiting.delete(element),
      (error: unknown) => {
        // Any other error is that of an element whose source has changed meanwhile.
        if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
        const first = this.waiting.size === 0;
        this.waiting.add(element);
        if (first && !element.muted) this.blocked();
      },
    );
  }

  forget(element: HTMLMediaElement): void {
    this.waiting.delete(element);
  }

  private again(): void {
    for (const element of this.waiting) this.play(element);
  }
}
