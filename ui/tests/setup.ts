// What jsdom does not have and the page needs. Nothing here has a behaviour that a test relies on.

class NoResizeObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
globalThis.ResizeObserver ??= NoResizeObserver;

globalThis.matchMedia ??= () => new EventTarget() as MediaQueryList;

HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  this.open = false;
  this.dispatchEvent(new Event('close'));
};

// jsdom says on the console that it cannot draw.
HTMLCanvasElement.prototype.getContext = () => null;
