#!/usr/bin/env bash
# Makes the files beside it anew. The sound is worked out, so it is nobody's work: two notes whose loudness rises on the
# left and falls on the right, once a second.
set -euo pipefail
cd "$(dirname "$0")"

left='0.4*sin(2*PI*440*t)*(0.25+0.75*mod(t\,1))'
right='0.3*sin(2*PI*660*t+0.5)*(1-0.8*mod(t\,1))'

# make <rate> <seconds> <what ffmpeg is told>…
make() {
    ffmpeg -hide_banner -loglevel error -y -f lavfi -i "aevalsrc=exprs='$left|$right':s=$1:d=$2" \
        -fflags +bitexact -flags:a +bitexact -map_metadata -1 "${@:3}"
}

make 8000 1.2 -c:a pcm_s16le wav16.wav
make 8000 1 -ac 1 -c:a pcm_f32le wav32f.wav
make 44100 2 -ac 1 -c:a flac -sample_fmt s16 -compression_level 12 flac16.flac
make 16000 1 -c:a flac -sample_fmt s32 -compression_level 12 flac24.flac
make 44100 3 -c:a libmp3lame -b:a 64k mp3.mp3
make 44100 3 -c:a libmp3lame -b:a 64k -write_xing 0 -id3v2_version 0 bare.mp3
make 44100 3 -c:a aac -b:a 64k -f adts aac.aac
make 44100 3 -c:a aac -b:a 64k index-last.m4a
make 44100 3 -c:a aac -b:a 64k -movflags +faststart index-first.m4a
make 44100 3 -c:a aac -b:a 64k -movflags +frag_keyframe+empty_moov -frag_duration 1000000 fragments.m4a
make 44100 3 -c:a libvorbis -q:a 0 -serial_offset 7 vorbis.ogg
make 48000 3 -c:a libopus -b:a 48k -serial_offset 7 opus.opus
make 16000 3 -ac 1 -c:a libopus -b:a 16k -application voip -serial_offset 7 speech.opus
make 8000 0.2 -c:a alac alac.m4a
