// Whether this browser can take part in a call: everything that the engine uses without asking.

export function canCall(): boolean {
  return (
    typeof RTCPeerConnection !== 'undefined' &&
    'connectionState' in RTCPeerConnection.prototype &&
    'addTransceiver' in RTCPeerConnection.prototype &&
    typeof WebSocket !== 'undefined' &&
    typeof crypto !== 'undefined' &&
    'subtle' in crypto &&
    'mediaDevices' in navigator &&
    'canParse' in URL
  );
}
