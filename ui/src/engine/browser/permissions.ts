// What the person allows the page may change while it is open, beside its address.

/** Calls `changed` whenever camera or microphone are allowed or refused, where browsers say so. */
export function watchPermissions(changed: () => void): void {
  if (!('permissions' in navigator)) return;
  for (const name of ['camera', 'microphone'] as const) {
    navigator.permissions.query({ name }).then(
      (status) => status.addEventListener('change', changed),
      // This browser does not know these permissions by name.
      () => {},
    );
  }
}
