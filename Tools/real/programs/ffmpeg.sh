# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# ffmpeg: frames and slices decoded, filtered and encoded by threads that wait for each other's rows.
needs="ffmpeg"
packages="ffmpeg"
command=(bash -c 'set -e
  ffmpeg -nostdin -loglevel error -y -filter_threads 3 -f lavfi -i testsrc2=size=640x360:rate=25:duration=4 -vf hue=s=1.5,gblur=1 -c:v libx264 -threads 4 -preset fast -bitexact made.mkv
  ffmpeg -nostdin -loglevel error -threads 4 -thread_type frame -i made.mkv -f md5 -
  ffmpeg -nostdin -loglevel error -threads 4 -i made.mkv -c:v mpeg4 -threads 3 -f md5 -bitexact -')
