cmake_minimum_required(VERSION 3.25)
# Tests end to end wait and measure by uptimeMs() (tests/e2e/lib.mjs): the time of day is set, and leaps when a machine
# was suspended. It is for times that are sent, or compared with what was.
file(GLOB files RELATIVE "${ROOT}" "${ROOT}/tests/*/*.mjs")
foreach(file IN LISTS files)
  file(STRINGS "${ROOT}/${file}" lines REGEX "= *Date\\.now\\(\\)( *\\+ *[a-zA-Z0-9_]+)?;|(while|if) *\\(Date\\.now\\(\\) *[<>]|Date\\.now\\(\\) - (began|start|started|before)[^a-zA-Z]")
  foreach(line IN LISTS lines)
    message(SEND_ERROR "${file} waits or measures by the time of day, which may leap: ${line}")
  endforeach()
endforeach()
