// Where the form sends a visit. Empty: no API is connected yet. Written anew when the API exists.
export const apiUrl = "";
