/**
 * Programs: what an ordinary Windows, macOS or Linux desktop runs or installs on a double-click, and what such a program loads, by the
 * ending of its name. Source code and shell scripts (`.js`, `.py`, `.sh`, …) are text that people share, and are only ever served
 * inert; documents with macros are documents. An archive or a disk image may hold a program and is not one itself, except where
 * opening it is installing it.
 */
const programEndings = new Set(
  [
    // Windows: executables, installers, what they load
    'exe com scr pif cpl msi msp mst msix msixbundle appx appxbundle dll ocx sys drv gadget appref-ms application xbap',
    // Windows: scripts of the system, and files whose opening runs something else
    'bat cmd ps1 psm1 vb vbs vbe jse wsf wsh wsc sct hta msc chm hlp',
    'lnk scf url reg inf diagcab settingcontent-ms search-ms library-ms',
    // macOS
    'app dmg pkg mpkg command tool workflow action terminal webloc fileloc inetloc',
    // Linux
    'deb rpm appimage run flatpakref snap desktop',
    // Java and phones
    'jar jnlp apk xapk aab ipa',
  ].flatMap((endings) => endings.split(' ')),
);

/** Whether the file at this path, or the bundle it lies in (`Game.app/…`), is a program. */
export function isProgram(segments: readonly string[]): boolean {
  return segments.some((segment, index) => {
    const ending = endingOf(segment);
    // A folder may be called what it likes (`backup.run`), but a macOS bundle is one program.
    return index === segments.length - 1 ? programEndings.has(ending) : ending === 'app';
  });
}

function endingOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1).toLowerCase();
}
